"""files: whole files or none, locks that end with their process."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_evals.ground.files import FileLock, is_locked, replace_text


def test_replace_text(tmp_path: Path) -> None:
    """The file holds the text as it is, its permissions stay, nothing else is left behind."""
    path = tmp_path / "a" / "f.txt"
    replace_text(path, "one\r\n")
    path.chmod(0o640)
    replace_text(path, "zwölf\n")
    assert path.read_bytes() == "zwölf\n".encode()
    assert path.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in path.parent.iterdir()] == ["f.txt"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What a symbolic link points to is replaced."""
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    replace_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_what_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """A text that cannot be written leaves the old file and no draft."""
    (tmp_path / "f").write_text("old")
    with pytest.raises(UnicodeEncodeError):
        replace_text(tmp_path / "f", "\ud800")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("f", "old")]


def test_a_claim_ends_with_its_process(tmp_path: Path) -> None:
    """A file is claimed while its owner lives, and free after kill -9."""
    path = tmp_path / "claim"
    code = (
        "import sys, time; from pathlib import Path; from pytest_evals.ground.files import FileLock; "
        "claim = FileLock(Path(sys.argv[1])); print(claim.is_held, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"True\n"
    assert is_locked(path)
    with FileLock(path) as other:
        assert not other.is_held
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not is_locked(path)


def test_a_claim_is_seen_in_its_own_process(tmp_path: Path) -> None:
    """Whoever looks, the owner too, sees the claim; looking does not disturb it."""
    path = tmp_path / "claim"
    assert not is_locked(path)
    claim = FileLock(path)
    assert [is_locked(path) for _ in range(3)] == [True] * 3
    claim.release(remove=True)
    claim.release()
    assert not path.exists()


def test_a_claim_knows_that_its_file_is_gone(tmp_path: Path) -> None:
    """A lock on a file that was removed meanwhile is worth nothing, and says so."""
    claim = FileLock(tmp_path / "claim")
    assert claim.is_current()
    (tmp_path / "claim").unlink()
    assert not claim.is_current()
    (tmp_path / "claim").touch()
    assert not claim.is_current()
    claim.release()
