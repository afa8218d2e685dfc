import os
import re
from pathlib import Path

import pytest
import yaml

from tests.cli.runner import invoke
from tests.doc_pages import ROOT
from tiktok_hook.cli import agent
from tiktok_hook.errors import UsageError
from tiktok_hook.mcp import skill_files
from tiktok_hook.mcp.pages import docs
from tiktok_hook.mcp.skill_files import CLIENTS, MANIFEST, NAME, REFERENCES


def test_the_skill_has_a_name_and_a_description_that_clients_take() -> None:
    text = skill_files.skill_files()["SKILL.md"]
    _, front, body = text.split("---\n", 2)
    fields = yaml.safe_load(front)
    assert fields.keys() == {"name", "description"}
    assert fields["name"] == NAME
    assert len(fields["description"]) <= 1024
    assert len(body.splitlines()) < 200


def test_every_link_leads_to_a_file_of_the_skill_or_to_the_site() -> None:
    files = skill_files.skill_files()
    assert files.keys() == {"SKILL.md", *(f"references/{name}.md" for name in REFERENCES)}
    for name, text in files.items():
        for link in re.findall(r"\]\(([^)#\s]+)", text):
            if "://" not in link:
                path = link if name == "SKILL.md" else f"references/{link}"
                assert path in files, f"{name}: {link}"


def test_the_clients_of_the_command_are_those_of_the_skill() -> None:
    assert set(agent._CLIENTS) == CLIENTS.keys()


def test_llms_txt_names_every_page() -> None:
    text = (ROOT / "docs" / "llms.txt").read_text("utf-8")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert {f"{name}.md" for name in docs()} <= set(links)
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "skills" / NAME


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_installing_again_changes_nothing(folder: Path) -> None:
    assert {each.change for each in skill_files.plan(folder)} == {"new"}
    skill_files.install(folder)
    first = tree(folder)
    assert {each.change for each in skill_files.plan(folder)} == {"same"}
    skill_files.install(folder)
    assert tree(folder) == first
    assert first.keys() == {*skill_files.skill_files(), MANIFEST}


def test_an_older_version_is_updated_and_an_edit_is_noticed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = skill_files.skill_files()
    old = {**new, "SKILL.md": "old", "references/gone.md": "old"}
    with monkeypatch.context() as patch:
        patch.setattr(skill_files, "skill_files", lambda: old)
        skill_files.install(folder)
    (folder / "references" / "audit.md").write_text("mine")
    changes = {each.path.name: each.change for each in skill_files.plan(folder)}
    assert changes["SKILL.md"] == "changed"
    assert changes["audit.md"] == "edited"
    skill_files.install(folder)
    assert tree(folder).keys() == {*new, MANIFEST}


def test_removing_leaves_what_the_user_edited_or_added(folder: Path) -> None:
    skill_files.install(folder)
    (folder / "SKILL.md").write_text("mine")
    (folder / "own.md").write_text("mine")
    skill_files.remove(folder)
    assert tree(folder).keys() == {"SKILL.md", "own.md", MANIFEST}
    skill_files.install(folder)
    (folder / "own.md").unlink()
    skill_files.remove(folder)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["../outside.md", "/etc/hosts.md", "references/../../x.md", "a"])
def test_a_manifest_deletes_nothing_outside_of_the_folder(folder: Path, name: str) -> None:
    outside = folder.parent / "outside.md"
    folder.mkdir(parents=True)
    outside.write_text("mine")
    digest = skill_files._hash(b"mine")
    (folder / MANIFEST).write_text(f'{{"files": {{"{name}": "{digest}"}}}}')
    assert skill_files.removable(folder) == ([], [])
    skill_files.remove(folder)
    assert outside.exists()


@pytest.mark.skipif(os.name != "posix", reason="needs links and pipes of POSIX")
@pytest.mark.parametrize(
    "link",
    [".claude", ".claude/skills", f".claude/skills/{NAME}", f".claude/skills/{NAME}/references"],
)
@pytest.mark.parametrize("action", ["install", "remove"])
def test_a_link_of_a_project_leads_to_no_other_folder(
    link: str, action: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside, project = tmp_path / "outside", tmp_path / "project"
    skill_files.install(outside / "skills" / NAME)
    before = tree(outside)
    (project / link).parent.mkdir(parents=True)
    leads_to = {".claude": "", "skills": "skills", NAME: f"skills/{NAME}"}
    place = leads_to.get(Path(link).name, f"skills/{NAME}/references")
    (project / link).symlink_to(outside / place)
    monkeypatch.chdir(project)
    done = invoke("agent", action, "--client", "claude", "--project", "--yes")
    assert done.exit_code == 2
    assert "a symbolic link leads elsewhere" in done.stderr
    assert tree(outside) == before


@pytest.mark.skipif(os.name != "posix", reason="needs links and pipes of POSIX")
@pytest.mark.parametrize("name", ["SKILL.md", "references/audit.md"])
@pytest.mark.parametrize("kind", ["device", "pipe", "large"])
def test_only_regular_files_of_a_bounded_size_are_read(folder: Path, name: str, kind: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True)
    if kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        with path.open("wb") as stream:
            stream.truncate(1 << 40)
    with pytest.raises(UsageError, match=r"is not a regular file|is larger than"):
        skill_files.plan(folder)


def test_a_manifest_that_is_not_a_regular_file_counts_as_missing(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / MANIFEST).symlink_to("/dev/zero")
    assert skill_files.removable(folder) == ([], [])


def test_a_folder_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "skills").write_text("a file")
    with pytest.raises(UsageError, match="cannot be"):
        skill_files.install(tmp_path / "skills" / NAME)


def test_the_command_shows_asks_installs_and_removes(tmp_path: Path, home: Path) -> None:
    where = ("--dir", str(tmp_path))
    asked = invoke("agent", "install", *where, stdin=b"n\n")
    assert asked.exit_code == 1
    assert str(tmp_path / NAME / "SKILL.md") in asked.stderr
    assert not (tmp_path / NAME).exists()
    unanswered = invoke("agent", "install", *where)
    assert unanswered.exit_code == 2
    assert "--yes" in unanswered.stderr
    assert invoke("agent", "install", *where, stdin=b"y\n").exit_code == 0
    assert "up to date" in invoke("agent", "install", *where).stderr
    assert invoke("agent", "remove", *where, "--yes").exit_code == 0
    assert not (tmp_path / NAME).exists()
    assert invoke("agent", "install", "--client", "claude", "--yes").exit_code == 0
    assert (home / ".claude" / "skills" / NAME / "SKILL.md").exists()
    assert "--client claude" in invoke("agent", "install").stderr
    assert invoke("agent", "show").stdout.startswith("---\nname: tiktok-webhooks\n")
