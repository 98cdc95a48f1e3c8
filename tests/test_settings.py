from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from base64 import b64encode
from pathlib import Path

import pytest

from voxgate.errors import SettingsError
from voxgate.settings import Settings


def test_defaults_apply_without_a_file_or_variables(tmp_path: Path) -> None:
    settings = Settings.read({"VOXGATE_HOME": str(tmp_path)})
    assert settings == Settings(home=tmp_path)


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    (tmp_path / "voxgate.toml").write_text('max_duration_s = 60\nspool_dir = "~/spool"\n')
    environ = {"VOXGATE_HOME": str(tmp_path), "VOXGATE_MAX_DURATION_S": "90.5"}
    settings = Settings.read(environ)
    assert settings.max_duration_s == 90.5
    assert settings.spool_dir == Path("~/spool").expanduser()


def test_what_the_whole_check_sets_is_no_unknown_setting() -> None:
    exported = re.findall(
        r"export (VOXGATE_\w+)=", (Path(__file__).parents[1] / ".ci" / "run").read_text()
    )
    assert exported
    Settings.read(dict.fromkeys(exported, "/recordings"))


def test_an_empty_value_is_not_set(tmp_path: Path) -> None:
    (tmp_path / "voxgate.toml").write_text('host = ""\nmax_duration_s = 60\n')
    names = ("SPOOL_DIR", "MAX_DURATION_S", "DECODER_CPU_S")
    empty = {f"VOXGATE_{name}": "" for name in names}
    settings = Settings.read({"VOXGATE_HOME": str(tmp_path), **empty})
    assert settings == Settings(home=tmp_path, max_duration_s=60.0)
    assert Settings.read({"VOXGATE_HOME": ""}).home == Settings().home


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("VOXGATE_MAX_DURATON_S", "60", "Nearest: VOXGATE_MAX_DURATION_S, VOXGATE_MAX_"),
        ("VOXGATE_MAX_DURATION_S", "long", "a number above zero"),
        ("VOXGATE_MAX_DURATION_S", "-1", "above zero"),
        ("VOXGATE_MAX_DURATION_S", "nan", "above zero"),
        ("VOXGATE_MAX_SOURCE_BYTES", "1.5", "a whole number"),
        (
            "VOXGATE_XYZZY",
            "1",
            r"XYZZY in the environment is not a setting. `voxgate config show` ",
        ),
        ("VOXGATE_PORT", "80000", "a port from 0 to 65535"),
        ("VOXGATE_PORT", "http", "a port from 0 to 65535"),
        ("VOXGATE_PORT", "-1", "a port from 0 to 65535"),
        ("VOXGATE_DEVICE", "gpu", "must be auto, cpu, cuda or cuda:N"),
        ("VOXGATE_DEVICE", "cuda:", "must be auto, cpu, cuda or cuda:N"),
        ("VOXGATE_CORS_ORIGINS", "example.org", "without a path or a slash at the end"),
        ("VOXGATE_CORS_ORIGINS", "https://example.org/", "'https://example.org/'"),
        ("VOXGATE_MODEL_ALIASES", "whisper-1", "'whisper-1'"),
        ("VOXGATE_MODEL_ALIASES", "whisper-1 =", "pairs as 'whisper-1 = openai/whisper-base'"),
        (
            "VOXGATE_URL_ALLOW",
            "https://nas.lan",
            "names of hosts without a port, numbers or networks",
        ),
        ("VOXGATE_URL_ALLOW", "nas.lan, 10.0.0.1/8", "'10.0.0.1/8'"),
        ("VOXGATE_URL_ALLOW", "nas.lan:80", "'nas.lan:80'"),
        ("VOXGATE_URL_FIRST_BYTE_S", "0", "a number above zero"),
        ("VOXGATE_CANARY_EVERY_S", "59.9", "'canary_every_s' is 59.9, and must be at least 60, or"),
        ("VOXGATE_CANARY_EVERY_S", "-1", "a number of at least zero"),
        ("VOXGATE_THREADS", "-1", "a whole number of at least zero, and is '-1'"),
        ("VOXGATE_THREADS", "two", "a whole number of at least zero, and is 'two'"),
        ("VOXGATE_THREADS", "1e3", "a whole number of at least zero"),
        ("VOXGATE_THREADS", "1025", "'threads' is 1025, and must be at most 1024, or 0"),
        ("VOXGATE_THREADS", "9" * 30, "must be at most 1024"),
        ("VOXGATE_CONTEXT_TOKENS", "1023", "'context_tokens' is 1023, and must be at least 1024"),
        ("VOXGATE_PROFILE", "exakt", "must be 'auto', 'exact', 'balanced' or 'fast'"),
    ],
)
def test_an_invalid_value_is_reported_by_name(
    name: str, value: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message):
        Settings.read({"VOXGATE_HOME": str(tmp_path), name: value})


@pytest.mark.parametrize(
    ("value", "sent"), [("60", True), ("0", False), ("inf", False), ("", False)]
)
def test_canaries_are_sent_only_by_an_interval(tmp_path: Path, value: str, sent: bool) -> None:
    environ = {"VOXGATE_HOME": str(tmp_path), "VOXGATE_CANARY_EVERY_S": value}
    assert Settings.read(environ).sends_canaries is sent


def test_the_address_of_the_server_is_a_setting(tmp_path: Path) -> None:
    (tmp_path / "voxgate.toml").write_text("host = 'localhost'\nport = 0\n")
    settings = Settings.read({"VOXGATE_HOME": str(tmp_path), "VOXGATE_PORT": "8080"})
    assert (settings.host, settings.port) == ("localhost", 8080)
    assert Settings.read({"VOXGATE_HOME": str(tmp_path)}).port == 0


def test_each_fault_is_found_and_the_other_settings_are_used(tmp_path: Path) -> None:
    (tmp_path / "voxgate.toml").write_text("max_duraton_s = 60\nmax_upload_s = 90\nauth = 'of'\n")
    environ = {
        "VOXGATE_HOME": str(tmp_path),
        "VOXGATE_XYZZY": "1",
        "VOXGATE_DRAIN_S": "soon",
        "VOXGATE_OFFLINE": "1",
    }
    settings, faults = Settings.examine(environ)
    assert settings == Settings(home=tmp_path, max_upload_s=90.0, offline=True)
    named = [fault.sentence.split("'")[1] for fault in faults if "'" in fault.sentence]
    assert named == ["max_duraton_s", "auth", "drain_s"]
    places = [fault.sentence.partition(": ")[0] for fault in faults[:2]]
    assert places == [f"{tmp_path}/voxgate.toml:1:1", f"{tmp_path}/voxgate.toml:3:1"]
    assert any("VOXGATE_XYZZY" in fault.sentence for fault in faults)
    assert len(faults) == 4


@pytest.mark.parametrize("fault", ["profile = 'fast'\ndevice = 'cuda'\n", "profile = \n"])
def test_settings_that_contradict_each_other_and_a_broken_file_are_faults(
    tmp_path: Path, fault: str
) -> None:
    (tmp_path / "voxgate.toml").write_text(fault)
    settings, (found,) = Settings.examine({"VOXGATE_HOME": str(tmp_path)})
    assert settings == Settings(home=tmp_path)
    with pytest.raises(SettingsError, match=re.escape(found.sentence)):
        Settings.read({"VOXGATE_HOME": str(tmp_path)})


def test_every_contradiction_is_found_in_one_run(tmp_path: Path) -> None:
    text = "drain_s = 9\nprofile = 'fast'\ndevice = 'cuda'\nauth = 'off'\ncors_origins = ['*']\n"
    (tmp_path / "voxgate.toml").write_text(f"{text}port = -1\n")
    settings, found = Settings.examine({"VOXGATE_HOME": str(tmp_path)})
    assert settings == Settings(home=tmp_path, drain_s=9)
    lines = [fault.sentence.split("voxgate.toml:")[1][0] for fault in found]
    assert lines == ["2", "4", "6"]


def test_what_kubernetes_says_of_a_service_beside_is_not_a_setting(tmp_path: Path) -> None:
    """The names are those of Kubernetes' documentation, for `voxgate` and `voxgate-web`."""
    address = "10.0.0.1"
    service = {
        "SERVICE_HOST": address,
        "SERVICE_PORT": "80",
        "SERVICE_PORT_HTTP": "80",
        "PORT": f"tcp://{address}:80",
        "PORT_80_TCP": f"tcp://{address}:80",
        "PORT_80_TCP_PROTO": "tcp",
        "PORT_80_TCP_PORT": "80",
        "PORT_80_TCP_ADDR": address,
        "PORT_53_UDP": f"udp://{address}:53",
    }
    environ = {"VOXGATE_HOME": str(tmp_path), "VOXGATE_MAX_DECODERS": "3"}
    for prefix in ("VOXGATE_", "VOXGATE_WEB_"):
        environ |= {prefix + name: value for name, value in service.items()}
    assert Settings.read(environ) == Settings(home=tmp_path, max_decoders=3)


@pytest.mark.parametrize("text", ["max_duration_s = ", "max_hours = 1", "max_duration_s = 'x'"])
def test_an_invalid_file_is_reported_by_name(text: str, tmp_path: Path) -> None:
    (tmp_path / "voxgate.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"voxgate\.toml"):
        Settings.read({"VOXGATE_HOME": str(tmp_path)})


def test_a_missing_temporary_folder_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", fail)
    home = {"VOXGATE_HOME": str(tmp_path)}
    with pytest.raises(SettingsError, match=r"No usable .* VOXGATE_SPOOL_DIR"):
        Settings.read(home)
    settings = Settings.read(home | {"VOXGATE_SPOOL_DIR": str(tmp_path)})
    assert settings.spool_dir == tmp_path


def test_importing_does_not_search_a_temporary_folder() -> None:
    code = "import tempfile; import voxgate.settings; assert tempfile.tempdir is None"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:1"])
def test_devices_have_pytorchs_names(device: str, tmp_path: Path) -> None:
    settings = Settings.read({"VOXGATE_HOME": str(tmp_path), "VOXGATE_DEVICE": device})
    assert (settings.device, settings.profile) == (device, "auto")


def test_a_cpu_profile_on_a_gpu_is_refused(tmp_path: Path) -> None:
    (tmp_path / "voxgate.toml").write_text('profile = "balanced"\n')
    environ = {"VOXGATE_HOME": str(tmp_path), "VOXGATE_DEVICE": "cuda"}
    with pytest.raises(
        SettingsError,
        match=r"toml:1:1, VOXGATE_DEVICE: 'profile' is 'balanced'.*'cuda'.*set 'device' to cpu",
    ):
        Settings.read(environ)
    assert Settings.read(environ | {"VOXGATE_PROFILE": "exact"}).device == "cuda"


def test_aliases_are_a_text_or_a_table(tmp_path: Path) -> None:
    home = {"VOXGATE_HOME": str(tmp_path)}
    pairs = (("whisper-1", "openai/whisper-base"), ("a/b", "c"))
    text = "whisper-1 = openai/whisper-base, a/b=c,"
    assert Settings.read(home | {"VOXGATE_MODEL_ALIASES": text}).model_aliases == pairs
    table = '[model_aliases]\nwhisper-1 = "openai/whisper-base"\n"a/b" = "c"\n'
    (tmp_path / "voxgate.toml").write_text(table)
    assert Settings.read(home).model_aliases == pairs


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("3", ":1:1: 'model_aliases' must be a table"),
        ('["whisper-1"]', ":1:1: 'model_aliases' must be a table"),
        ("{a = 1}", ":1:18: 'a' must be the name of a model in quotes, and is 1"),
    ],
)
def test_a_file_with_other_aliases_is_refused(value: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "voxgate.toml").write_text(f"model_aliases = {value}\n")
    with pytest.raises(SettingsError, match=rf"voxgate\.toml{says}"):
        Settings.read({"VOXGATE_HOME": str(tmp_path)})


def test_sites_are_a_text_or_a_list(tmp_path: Path) -> None:
    home = {"VOXGATE_HOME": str(tmp_path)}
    sites = ("https://example.org", "http://localhost:3000")
    text = "https://Example.org, http://localhost:3000"
    assert Settings.read(home | {"VOXGATE_CORS_ORIGINS": text}).cors_origins == sites
    (tmp_path / "voxgate.toml").write_text(f"cors_origins = {list(sites)}\n")
    assert Settings.read(home).cors_origins == sites


def test_servers_to_fetch_from_are_names_numbers_and_networks(tmp_path: Path) -> None:
    servers = ("public", "nas.lan", "10.0.0.0/8", "192.168.1.7", "fd00::/8")
    home = {"VOXGATE_HOME": str(tmp_path)}
    text = "public, NAS.lan.,10.0.0.0/8, 192.168.1.7 ,, FD00::/8"
    assert Settings.read(home | {"VOXGATE_URL_ALLOW": text}).url_allow == servers
    (tmp_path / "voxgate.toml").write_text(f"url_allow = {list(servers)}\n")
    assert Settings.read(home).url_allow == servers


def test_every_site_without_keys_is_refused(tmp_path: Path) -> None:
    environ = {"VOXGATE_HOME": str(tmp_path), "VOXGATE_CORS_ORIGINS": "*", "VOXGATE_AUTH": "off"}
    with pytest.raises(SettingsError, match="Name the sites"):
        Settings.read(environ)
    assert Settings.read(environ | {"VOXGATE_AUTH": "keys"}).cors_origins == ("*",)


ONE, TWO = (b64encode(bytes([number]) * 32).decode() for number in (1, 2))


@pytest.mark.parametrize("text", [f"{ONE},{TWO}", f" {ONE} , {TWO},"])
def test_secrets_of_transcripts_are_a_list(tmp_path: Path, text: str) -> None:
    both = (b"\1" * 32, b"\2" * 32)
    environ = {"VOXGATE_HOME": str(tmp_path)}
    assert Settings.read({**environ, "VOXGATE_TRANSCRIPT_KEY": text}).transcript_key == both
    (tmp_path / "voxgate.toml").write_text(f'transcript_key = ["{ONE}", "{TWO}"]\n')
    assert Settings.read(environ).transcript_key == both


@pytest.mark.parametrize(
    "text", ["c2VjcmV0", ONE[:-1], f"{ONE},c2VjcmV0", "s\u00e9cret", "c2Vj*cmV0"]
)
def test_a_malformed_secret_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    environ = {"VOXGATE_HOME": str(tmp_path), "VOXGATE_TRANSCRIPT_KEY": text}
    with pytest.raises(SettingsError, match="`openssl rand -base64 32` prints") as caught:
        Settings.read(environ)
    assert text[-6:] not in str(caught.value)
    assert ONE not in str(caught.value)
