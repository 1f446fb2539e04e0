"""Does what a person asks for in a comment, if the person may, and answers: a sign on the comment, words where needed.

Everything is done before it is answered, and is safe to do twice; so an answer that did not get through is tried again
with all that stands before it, and may then be there twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from deployer import asking
from deployer.asking import Answer, Denied, wish
from deployer.forges.connect import Forge
from deployer.forges.quoting import code
from deployer.forges.report import line
from deployer.model import (
    Command,
    CommandName,
    Delivery,
    Deployment,
    Environment,
    EnvironmentKey,
    Failure,
    Permanent,
    PullRequest,
    Reaction,
    Stage,
    State,
    Temporary,
    Trigger,
)
from deployer.source.mirror import Mirror
from deployer.webhooks.comment import BY_ROBOT
from jobs.plan import Origin, Plan
from jobs.proposal import ask_for
from jobs.resources import Resources
from jobs.rights import Person
from jobs.showing import page

log = structlog.get_logger()


def obey(
    given: Resources, delivery: Delivery, command: Command, environments: tuple[Environment, ...]
) -> list[EnvironmentKey]:
    """Do what a comment asks for and answer it. Safe to run any number of times.

    Args:
        given: the resources.
        delivery: which one brought the comment.
        command: what it asks for.
        environments: all of the repository, at least one.

    Returns:
        The environments that have something to deploy.

    Raises:
        Permanent: we cannot speak to the forge at all.
        Temporary: the forge, or the repository, cannot be asked now.
    """
    forge = given.forge(delivery.forge)
    if forge is None:
        raise Permanent("there is neither a token nor an App to ask the forge who may do what", stage=Stage.RECEIVE)
    return _Talk(given, delivery, command, environments, forge).run()


def give_up(given: Resources, delivery: Delivery, command: Command) -> None:
    """Say on a comment that nothing more will come of it, if the forge takes that now."""
    try:
        forge = given.forge(delivery.forge)
        if forge is not None:
            _answer(forge, command, Answer(Reaction.CONFUSED, asking.GIVEN_UP))
    except Failure as failure:
        log.warning("command", delivery=delivery.id, not_answered=failure.message)


def _answer(forge: Forge, command: Command, answer: Answer) -> None:
    """Answer a comment. A sign that is refused, as on a comment that was deleted, keeps back no words."""
    to, number = command.repository, command.number
    try:
        forge.react(to, number, comment_id=command.comment_id, reaction=answer.reaction)
    except Permanent:
        if answer.reply is None:
            raise
    if answer.reply is not None:
        forge.reply(to, number, body=answer.reply)


@contextmanager
def _explained(given: Resources) -> Iterator[None]:
    """Whoever may deploy may read what is wrong with the repository."""
    try:
        yield
    except Permanent as failure:
        raise Denied(code(given.discreet(failure.message))) from failure


@dataclass(frozen=True, slots=True)
class _Talk:
    """One comment and what comes of it."""

    given: Resources
    delivery: Delivery
    command: Command
    environments: tuple[Environment, ...]
    forge: Forge
    deploying: list[EnvironmentKey] = field(default_factory=list)

    def run(self) -> list[EnvironmentKey]:
        command, denied = self.command, None
        person = Person(self.forge, command.repository, command.actor, command.actor_id)
        try:
            if self.forge.is_robot(command.actor, user_id=command.actor_id):
                self._audit(BY_ROBOT, what="ignored")
                return []
            person.must_write()
            answer = self._do(person)
        except Denied as reason:
            denied, answer = str(reason), Answer(reason.reaction, str(reason))
        except Permanent as failure:
            denied, answer = failure.message, Answer(Reaction.CONFUSED, asking.IN_DOUBT)
        self._tell(answer)
        self._audit(denied)
        return self.deploying

    def _do(self, person: Person) -> Answer:
        command = self.command
        request = self.forge.pull_request(command.repository, command.number)
        environments = asking.of_request(request, self.environments)
        match command.name:
            case CommandName.DEPLOY:
                return self._deploy(person, request, asking.to_deploy(command, request, environments))
            case CommandName.DIFF:
                return self._preview(asking.to_preview(command, request, environments))
            case CommandName.REPLAY:
                return self._replay(person, asking.to_replay(command, request), environments)
            case CommandName.HELP:
                words = asking.help_for(command.repository, request.base, environments)
                return Answer(Reaction.THUMBS_UP, words)

    def _preview(self, environments: tuple[Environment, ...]) -> Answer:
        """Have the request previewed anew; each environment is answered for, also if nothing changes there."""
        command, names = self.command, tuple(each.key.environment for each in environments)
        ignored = ask_for(self.given, self.delivery.forge, command.repository, command.number, environments=names)
        if ignored:
            raise Denied(f"There is no preview: {ignored.reason}.")
        return Answer(Reaction.THUMBS_UP)

    def _deploy(self, person: Person, request: PullRequest, environment: Environment) -> Answer:
        """Deploy the newest commit of the branch. The commits of a request that is not merged are on no such branch."""
        person.must_deploy(environment)
        with _explained(self.given):
            mirror = self.given.mirror(environment)
            commit = mirror.fetch(environment.branch)
            deployment = self._again(environment, commit, mirror, trigger=Trigger.MANUAL)
        if deployment.state is State.SUPERSEDED:
            raise Denied(f"`{environment.key.environment}`: {code(self.given.discreet(deployment.summary))}")
        return asking.deploys(request, environment, deployment.commit, page=page(self.given, deployment))

    def _replay(self, person: Person, commit: str, environments: tuple[Environment, ...]) -> Answer:
        """Deploy a merge once more to each environment that it reached and the person may deploy to."""
        latest = self.given.store.deployments.latest
        reached = [each for each in environments if latest(each.key, commit) is not None]
        if not reached:
            raise Denied(f"The merge of this request ({commit}) was deployed nowhere.")
        said = [self._replay_to(person, each, commit) for each in reached]
        reaction = Reaction.ROCKET if self.deploying else Reaction.CONFUSED
        return Answer(reaction, "\n".join(f"- {each}" for each in said))

    def _replay_to(self, person: Person, environment: Environment, commit: str) -> str:
        try:
            person.must_deploy(environment)
            with _explained(self.given):
                mirror = self.given.mirror(environment)
                mirror.ensure(commit, branch=environment.branch)
                deployment = self._again(environment, commit, mirror, trigger=Trigger.REPLAY)
        except Denied as denied:
            self._audit(str(denied), environment)
            return str(denied)
        what = code(self.given.discreet(deployment.summary)) if deployment.state.final else f"{commit} goes there"
        return f"`{environment.key.environment}`: {what}: {page(self.given, deployment)}"

    def _again(self, environment: Environment, commit: str, mirror: Mirror, *, trigger: Trigger) -> Deployment:
        receipt = self.given.store.deliveries.receipt(self.delivery.forge, self.delivery.id)
        title = line(mirror.commit_title(commit))
        origin = Origin(trigger, self.command.actor, title, self.delivery.id, receipt)
        plan = Plan(self.given, origin, environment.branch_key, (environment,))
        deployment = plan.again(environment, commit, mirror)
        if not deployment.state.final:
            self.deploying.append(environment.key)
        return deployment

    def _tell(self, answer: Answer) -> None:
        """Answer the comment; where the forge takes no answer, as on a request that is locked, it is done without."""
        try:
            _answer(self.forge, self.command, answer)
        except Temporary:
            if self.deploying:
                self.given.queues.deploy()  # it does not wait for the answer
            raise
        except Permanent as failure:
            log.warning("command", delivery=self.delivery.id, not_answered=failure.message)

    def _audit(self, denied: str | None, environment: Environment | None = None, *, what: str = "") -> None:
        command, delivery = self.command, self.delivery
        what = what or ("refused" if denied else "granted")
        log.info("command", forge=delivery.forge, delivery=delivery.id, result=what, actor=command.actor, reason=denied)
        self.given.store.audit.add(
            what,
            at=self.given.clock(),
            forge=delivery.forge,
            repository=command.repository,
            environment=environment.key.environment if environment else None,
            delivery=delivery.id,
            actor=command.actor,
            request=str(command.number),
            asked=wish(command),
            reason=denied,
        )
