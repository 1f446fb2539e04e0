"""A Git forge in memory, for trying and testing the deployer without an account: GitHub and GitLab in one.

It has the parts of both REST APIs that the deployer calls, git over `file://`, signed webhooks, and pages on which one
can merge, comment and press the buttons of checks. It listens on loopback only.
"""

from deployer.sandbox.forge.apps import App
from deployer.sandbox.forge.checks import Annotation, Button, CheckRun, Output
from deployer.sandbox.forge.comments import Comment, Reaction
from deployer.sandbox.forge.deployments import Deployment
from deployer.sandbox.forge.git import MergeMethod
from deployer.sandbox.forge.people import Person, Role
from deployer.sandbox.forge.refusal import HeadMoved, Invalid, NotFound, NotMergeable, Refused
from deployer.sandbox.forge.repositories import Landing, PullRequest
from deployer.sandbox.forge.server import SandboxForge
from deployer.sandbox.forge.statuses import Status
from deployer.sandbox.forge.webhooks import Attempt, Delivery, Webhook

__all__ = [
    "Annotation",
    "App",
    "Attempt",
    "Button",
    "CheckRun",
    "Comment",
    "Delivery",
    "Deployment",
    "HeadMoved",
    "Invalid",
    "Landing",
    "MergeMethod",
    "NotFound",
    "NotMergeable",
    "Output",
    "Person",
    "PullRequest",
    "Reaction",
    "Refused",
    "Role",
    "SandboxForge",
    "Status",
    "Webhook",
]
