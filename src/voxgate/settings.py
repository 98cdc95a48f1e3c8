"""`Settings`: all limits and folders, read once from the environment and the file.

`VOXGATE_<NAME>` in the environment overrides `voxgate.toml`, which overrides the default. An empty
text counts as not set. An unknown name is an error, because a misspelt limit would otherwise have
no effect: see `configuration.names`.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import MISSING, dataclass, field, fields
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.configuration.file import DEFAULT_HOME, ConfigFile
from voxgate.configuration.given import Given
from voxgate.configuration.values import MOST_THREADS, UNLIMITED_BYTES
from voxgate.errors import SettingsError
from voxgate.prices import NO_PRICES, PriceList
from voxgate.upstreams import NO_ENDPOINTS, EndpointList

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST_CANARY_INTERVAL_S = 60.0

CONTEXT_TOKENS = 16_384
"""Ten minutes of sound are 7 500 tokens, an hour's transcript some 12 000."""

LEAST_CONTEXT_TOKENS = 1024


def _temporary_folder() -> Path:
    """Return the system's temporary folder.

    It is called only when needed, because `tempfile` finds the folder by writing to it.
    """
    try:
        return Path(tempfile.gettempdir())
    except OSError as error:
        raise SettingsError(
            f"There is no folder for decoded sound: {error.strerror}. Set VOXGATE_SPOOL_DIR to a "
            f"writable folder on a disk with space."
        ) from error


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of an installation. Sizes are in bytes, times in seconds."""

    home: Path = DEFAULT_HOME
    """The folder of all state: models, the ledger, and the configuration file, unless
    `VOXGATE_CONFIG` names another."""

    database_url: str = ""
    """A PostgreSQL database for the ledger, as `postgresql://user:password@host/voxgate`; without
    it, the ledger is a SQLite file in `home`."""

    spool_dir: Path = field(default_factory=_temporary_folder)
    """The folder of sound: unnamed files, 115 MB an hour. What has 256 KB at most stays in memory.
    Use a disk if /tmp is memory."""

    max_source_bytes: int = 16 * 2**30
    """The largest recording, in bytes of the caller's file."""

    max_duration_s: float = 24 * 3600.0
    """The longest recording, in seconds of decoded sound."""

    decoder_memory_bytes: int = 2**30
    """The memory that the decoder of one file may allocate after its start."""

    decoder_cpu_s: int = 3600
    """The processor time that the decoder of one file may use."""

    decoder_recordings: int = 256
    """How many recordings of one key a decoder's process may decode, one after another, within a
    minute; with 1 each has a process of its own. A hostile file can reach those after it."""

    decoder_patience_s: float = 30.0
    """How far the decoder of one file may fall behind real time."""

    engine_start_s: float = 600.0
    """How long an engine may take to become ready: a model's first start quantises its weights."""

    engine_patience_s: float = 30.0
    """How long an engine with work may go without a step before it is killed."""

    device: str = "auto"
    """Voxtral's device: `cpu`, `cuda`, `cuda:N`, or `auto`: a GPU that it fits on, else `cpu`."""

    profile: str = "auto"
    """The format of Voxtral's weights: `exact`, `balanced`, `fast`, or `auto`: `balanced` on a CPU
    and `exact` on a GPU, where only `exact` exists."""

    kernels: str = ""
    """The level of instructions for which the native kernels are chosen: `avx2`, `avxvnni`,
    `avx512vnni`, `avx512bf16` or, on ARM, `neon`; by default the best that the processor has.
    PyTorch and CTranslate2 then use no better ones either. With `off`, they compute alone."""

    threads: int = 0
    """The threads that each engine computes with; 0, the default, is as many as `OMP_NUM_THREADS`
    says, else one for each core that the process may use, within the quota of its container.
    Hyper-threads are not cores."""

    context_tokens: int = CONTEXT_TOKENS
    """The tokens that a question to a model, with its sounds, and its answer may have together, at
    most as many as the model's context has. An engine has fewer where memory is short: in Voxtral
    Mini 16384 take 2 GB, on a CPU when they are used and on a GPU always."""

    engine_idle_s: float = 300.0
    """How long an engine may be without work before it is unloaded; with `inf` it never is."""

    engine_turn_s: float = 30.0
    """How long a model with work stays loaded when another model waits for its memory."""

    engine_memory_bytes: int = UNLIMITED_BYTES
    """The memory that all engines together may use; by default, the free memory."""

    while_loading: str = "wait"
    """How a request for a model that is not loaded is handled: `wait`, or `refuse` it with 503."""

    max_decoders: int = 8
    """How many recordings are decoded at once; other recordings wait."""

    host: str = "127.0.0.1"
    """The address that `voxgate serve` listens on; `0.0.0.0` is every address of this machine.
    `--host` overrides it."""

    port: int = 8000
    """The port that `voxgate serve` listens on; 0 is any free port. `--port` overrides it."""

    auth: str = "keys"
    """Whether the server requires keys: `keys` or, on the loopback only, `off`."""

    credits: float = 0.0
    """The US dollars that were paid in, for `GET /credits`, which shows them: nothing is refused
    when they are used up. Without it, as much as was used."""

    cors_origins: tuple[str, ...] = ()
    """The web sites whose pages may call the server from a browser, as `https://example.org`, with
    commas between; `*` is every site. A page still needs a key, and no cookies are used."""

    model_aliases: tuple[tuple[str, str], ...] = ()
    """Further names of models, as `whisper-1 = openai/whisper-base`, with commas between; in the
    file, a table."""

    answer_model: str = ""
    """The model that answers questions about recordings where the one that is asked for only
    transcribes: it reads the words. Without it, such questions are refused."""

    draft_model: str = ""
    """A fast model on this machine that hears each window first, as `openai/whisper-base`. A
    Voxtral on a CPU checks its words several at a time, and writes what it would write without, in
    less time. Both models are in memory then."""

    prices: PriceList = NO_PRICES
    """What transcriptions cost, by model, as `openai/whisper-base = 0.006/minute`, with commas
    between; a model has any of its names, and `*` is every other model. Units are `second`,
    `minute`, `hour`, `request`, `token` and `million tokens`. In the file, tables `[[prices]]` with
    `model`, `amount` in dollars, `unit` and, where wanted, `minimum_s`, `increment_s` and
    `valid_from`."""

    endpoints: EndpointList = NO_ENDPOINTS
    """Models at providers elsewhere: in the file alone, tables `[[providers]]` and `[[endpoints]]`.
    By default nothing leaves this machine."""

    max_upload_bytes: int = 2**30
    """The largest recording that the server accepts."""

    max_upload_s: float = 12 * 3600.0
    """The longest recording that the server accepts."""

    body_patience_s: float = 30.0
    """How long a request's body may go without a byte."""

    reader_patience_s: float = 60.0
    """How long a caller may read nothing of a response that is more than the buffers hold."""

    url_allow: tuple[str, ...] = ()
    """From where the server fetches recordings that a request names by their address: `public` is
    the internet, other entries are names of hosts, numbers and networks (`nas.lan`, `10.0.0.0/8`),
    with commas between. By default such requests are refused."""

    url_first_byte_s: float = 30.0
    """How long a recording that is fetched may take to its first byte, and go without a byte."""

    url_deadline_s: float = 900.0
    """How long a recording that is fetched may take as a whole."""

    keep_files: bool = False
    """Whether callers may keep recordings on the server, as files below `home`."""

    kept_bytes: int = 16 * 2**30
    """The bytes of the files that one key may keep."""

    kept_s: float = 24 * 3600.0
    """How long a file is kept, unless it is deleted or its caller chose less."""

    generations_days: float = inf
    """How many days a generation stays in the ledger; with `inf`, the default, for ever: they are
    the record of what was charged, 0.6 GB a million. Their sums stay in any case."""

    transcript_key: tuple[bytes, ...] = field(default=(), repr=False)
    """The secret that encrypts the transcripts which keys keep: 32 random bytes in base64, as
    `openssl rand -base64 32` prints them. Without it none is kept. Older secrets may follow, with
    commas between, in the file as a list, to read what they encrypted."""

    page_secret: tuple[bytes, ...] = field(default=(), repr=False)
    """The secret that signs the cookies of who signs in to the pages, as that of transcripts;
    without it, a file in `home`. Several servers behind one address take each other's cookies where
    it is the same. Older secrets may follow, until who signed in with them has signed in again."""

    oidc_issuer: str = ""
    """The OpenID provider whose users may sign in to the pages, as `https://login.example.org`: its
    e-mail address, or its subject, is the external user of a key. Needs the extra `oidc`."""

    oidc_client_id: str = ""
    """How that provider calls this server, which is registered there with the address
    `https://HOST/sign-in/oidc/return`."""

    oidc_client_secret: str = field(default="", repr=False)
    """The secret of this server at that provider; without it, PKCE alone proves who asks."""

    canary_every_s: float = inf
    """How often the server sends recordings with known words through each endpoint, from 60 on; by
    default, with `inf` or 0, never: providers elsewhere charge for them. Needs the extra `eval`."""

    canary_folder: str = ""
    """The folder of these recordings and their references, as `voxgate eval` finds them; without
    it, one sentence of ten seconds in English."""

    max_flights: int = 256
    """How many recordings the server processes at once; the next request gets 429."""

    max_flights_per_key: int = 128
    """How many of them may be of one key; the next request of that key gets 429."""

    filler_after_s: float = 3.0
    """After how long the server begins to send spaces to a client that waits for JSON."""

    offline: bool = False
    """Whether Voxgate must not use the network. Only the loopback is allowed then."""

    drain_s: float = 30.0
    """How long running work may continue after the server received a signal to stop."""

    log_format: str = "text"
    """How servers and engines log to standard error: `text`, or `json`, one object a line."""

    log_level: str = "info"
    """From which level on they log: `debug`, `info`, `warning` or `error`; libraries from `warning`
    on in any case."""

    def __post_init__(self) -> None:
        if self.device.startswith("cuda") and self.profile not in {"auto", "exact"}:
            raise SettingsError(
                f"'profile' is '{self.profile}', which only a CPU supports, but 'device' is "
                f"'{self.device}'. Leave 'profile' out, or set 'device' to cpu."
            )
        if self.auth == "off" and "*" in self.cors_origins:
            raise SettingsError(
                "'cors_origins' is '*' and 'auth' is 'off': every web page that is opened on this "
                "machine could read transcripts. Name the sites, or let the server ask for keys."
            )

        self._check_oidc()
        if self.context_tokens < LEAST_CONTEXT_TOKENS:
            raise SettingsError(
                f"'context_tokens' is {self.context_tokens}, and must be at least "
                f"{LEAST_CONTEXT_TOKENS}: 30 s of sound are 375, and an answer follows them."
            )
        if self.threads > MOST_THREADS:
            raise SettingsError(
                f"'threads' is {self.threads}, and must be at most {MOST_THREADS}, or 0 for one on "
                "each core."
            )
        if 0 < self.canary_every_s < LEAST_CANARY_INTERVAL_S:
            raise SettingsError(
                f"'canary_every_s' is {self.canary_every_s:g}, and must be at least "
                f"{LEAST_CANARY_INTERVAL_S:g}, or 0 for never."
            )

    def _check_oidc(self) -> None:
        """Raise `SettingsError` where sign-in with a provider is half set, or would have no use."""
        if self.oidc_issuer and not self.oidc_client_id:
            raise SettingsError(
                "'oidc_issuer' is set and 'oidc_client_id' is not. Set it to what the provider "
                "calls this server."
            )
        if (self.oidc_client_id or self.oidc_client_secret) and not self.oidc_issuer:
            raise SettingsError(
                "'oidc_client_id' or 'oidc_client_secret' is set and 'oidc_issuer' is not. Set it "
                "to the provider's address, or leave out the others."
            )
        if self.oidc_issuer and self.auth == "off":
            raise SettingsError(
                "'oidc_issuer' is set and 'auth' is 'off': without keys nobody needs to sign in. "
                "Leave one of them out."
            )

    @property
    def sends_canaries(self) -> bool:
        """Whether recordings with known words are sent through endpoints."""
        return 0 < self.canary_every_s < inf

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Return the settings of this process.

        Raises `SettingsError` for the first fault, which names the variable or the place in the
        file.
        """
        settings, faults = cls.examine(environ)
        for fault in faults:
            raise fault
        return settings

    @classmethod
    def examine(
        cls, environ: Mapping[str, str] = os.environ, file: ConfigFile | None = None
    ) -> tuple[Settings, list[SettingsError]]:
        """Return the settings that can be used, and what is wrong with the others.

        The file is the one that `environ` names, unless another is given. Raises `SettingsError`
        where there is no temporary folder and no setting names one.
        """
        file = file or ConfigFile.find(environ)
        given = cls.given(environ, file)
        values, faults = given.values, given.faults
        if "offline" in given.faulty:
            values.setdefault("offline", True)  # what is meant is unknown: nothing may leave
        while True:
            try:
                return cls(**values), file.in_order(faults)
            except SettingsError as fault:
                found = [name for name in values if f"'{name}'" in fault.sentence]
                if not found:  # of no setting: there is no temporary folder
                    raise
                places = ", ".join(given.origins[name] for name in found)
                faults.append(SettingsError(f"{places}: {fault.sentence}"))
                for name in found:  # they contradict each other: others may, too
                    del values[name]

    @classmethod
    def given(cls, environ: Mapping[str, str], file: ConfigFile) -> Given:
        """Return what the environment and the file give, and where each is."""
        return Given.read(_KINDS, environ, file)


_KINDS = {
    setting.name: Path
    if setting.default is MISSING or isinstance(setting.default, Path)
    else type(setting.default)
    for setting in fields(Settings)
}
