"""Rules about several sections together."""

from __future__ import annotations

import copy

import pytest

from tests.settings.conftest import Complain, Content, environment


def entry(content: Content, **changes: object) -> Content:
    """Add a copy of the first repository, with changes."""
    added: Content = copy.deepcopy(content["repositories"][0]) | changes
    content["repositories"].append(added)
    return added


def test_a_name_that_is_nearly_right_is_suggested(complain: Complain, content: Content) -> None:
    environment(content)["cluster"] = "stagign"
    content["repositories"][0]["forge"] = "GitHub"
    assert complain(content) == (
        'repositories[0].forge: no forge named "GitHub"; did you mean "github"?',
        'repositories[0].environments.staging.cluster: no cluster named "stagign"; did you mean "staging"?',
    )


def test_a_name_that_is_far_off_gets_the_names_that_there_are(complain: Complain, content: Content) -> None:
    environment(content)["cluster"] = "x"
    assert complain(content) == (
        'repositories[0].environments.staging.cluster: no cluster named "x"; there is "production", "staging"',
    )


def test_names_are_checked_although_much_else_is_wrong(complain: Complain, content: Content) -> None:
    environment(content).update(cluster="stagign", prune=5)
    content["repositories"][0]["name"] = 7
    content["repositories"].append("acme/web")
    assert (
        'repositories[0].environments.staging.cluster: no cluster named "stagign"; did you mean "staging"?'
        in complain(content)
    )


def test_the_same_environment_twice_is_refused(complain: Complain, content: Content) -> None:
    entry(content, branch="release", name="Acme/Shop")
    assert complain(content) == (
        "repositories[1].environments.staging: this repository has an environment of this name already, "
        "at repositories[0].environments.staging",
    )


def test_another_branch_with_other_environments_is_allowed(complain: Complain, content: Content) -> None:
    entry(content, branch="release/1.4", environments={"release": environment(content)})
    assert complain(content) == ()


def test_the_same_branch_twice_is_refused(complain: Complain, content: Content) -> None:
    entry(content, environments={"other": environment(content)})
    assert complain(content) == (
        "repositories[1]: the same repository and branch as repositories[0]; put its environments there",
    )


@pytest.mark.parametrize("other", [{"name": "acme-shop/web"}, {"forge": "gitlab", "name": "acme/shop-web"}])
def test_two_environments_may_not_share_an_inventory(other: Content, complain: Complain, content: Content) -> None:
    content["repositories"][0]["name"] = "acme/shop-web"
    added = entry(content, **other)
    assert complain(content) == (
        "repositories[1].environments.staging: ConfigMap deployer.staging.acme-shop-web in namespace shop of cluster "
        "staging would be the inventory of repositories[0].environments.staging, too; change the namespace or the name "
        "of one of them",
    )
    added["environments"]["staging"]["namespace"] = "shop-two"
    assert complain(content) == ()
    added["environments"]["staging"].update(namespace="shop", cluster="production")
    assert complain(content) == ()


def test_github_has_no_subgroups(complain: Complain, content: Content) -> None:
    content["repositories"][0]["name"] = "acme/shop/web"
    assert complain(content) == ("repositories[0].name: expected owner/name: GitHub has no subgroups",)
    content["repositories"][0]["forge"] = "gitlab"
    assert complain(content) == ()


@pytest.mark.parametrize(
    "repositories",
    [None, 5, "x", [None], [5], [[]], [{}], [{"environments": 5}], [{"environments": {"a": 5}}],
     [{"name": 5, "forge": [], "branch": {}, "environments": {"a": {"cluster": [], "namespace": {}}}}] * 2],
)  # fmt: skip
def test_any_shape_is_a_mistake_and_not_a_crash(repositories: object, complain: Complain, content: Content) -> None:
    content["repositories"] = repositories
    assert complain(content)
    content["forges"] = repositories
    content["clusters"] = repositories
    assert complain(content)
