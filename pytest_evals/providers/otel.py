"""Record the OpenTelemetry spans that an application makes during a call.

Every call has a `Recording`. A span processor is added to the application's TracerProvider, which
keeps all its spans. It adds each started span to the recording of its trace, otherwise to that of
its context. Concurrent trials, in threads or on one loop, are therefore separate. If the
application sets no provider, ours is used until it does.

OpenTelemetry is imported only if its SDK is installed (the extra ``otel``).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pytest_evals.trace.convert import convert
from pytest_evals.trace.converted import Converted
from pytest_evals.trace.raw_span import RawSpan

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

MAX_COLLECTED = 20_000
"""Maximum number of spans that are held during a call; further ones are counted."""

_current: ContextVar["Recording | None"] = ContextVar("pytest_evals_recording", default=None)
_lock = threading.Lock()


class Recording:
    """The spans that start during one call."""

    def __init__(self) -> None:
        self._spans: list[ReadableSpan] = []
        self._lost = 0
        self._open = True
        self.root: str | None = None
        """The id of our span, the parent of the application's spans."""
        self.note: str | None = None
        """Why spans may be missing."""

    def add(self, span: "ReadableSpan") -> None:
        """Add a started span, unless the call is over."""
        with _lock:
            if self._open and len(self._spans) < MAX_COLLECTED:
                self._spans.append(span)
            elif self._open:
                self._lost += 1

    def finish(self) -> Converted:
        """Return the spans in their current state and stop recording."""
        with _lock:
            self._open = False
            spans, self._spans = self._spans, []
        converted = convert(map(_raw, spans), root=self.root, lost=self._lost)
        if self.note is not None:
            converted.notes.append(self.note)
        return converted


def _raw(span: "ReadableSpan") -> RawSpan:
    """Read a span of the SDK, which another thread may still change."""
    from opentelemetry.trace import StatusCode

    assert span.context is not None
    status = span.status
    return RawSpan(
        id=f"{span.context.span_id:016x}",
        parent=None if span.parent is None else f"{span.parent.span_id:016x}",
        name=span.name,
        start_ns=span.start_time or 0,
        end_ns=span.end_time,
        attributes=_copy_attributes(span),
        events=[(e.name, e.timestamp, dict(e.attributes or {})) for e in tuple(span.events)],
        failed=status.status_code is StatusCode.ERROR,
        message=status.description or "",
        dropped=span.dropped_attributes + span.dropped_events,
    )


def _copy_attributes(span: "ReadableSpan") -> dict[str, Any]:
    """Copy the attributes of a span, which another thread may change."""
    for _ in range(5):
        try:
            return dict(span.attributes or {})
        except RuntimeError:  # changed during the copy
            continue
    return {}


@contextmanager
def recording() -> Iterator[Recording | None]:
    """Record the spans of the code inside, also in its threads and tasks.

    Yields None if OpenTelemetry's SDK is not installed.
    """
    tracing = _tracing()
    if tracing is None:
        yield None
        return
    record = Recording()
    token = _current.set(record)
    try:
        with tracing.new_root(record):
            record.note = tracing.attach()
            yield record
            record.note = record.note or tracing.attach()
    finally:
        _current.reset(token)


def installed() -> bool:
    """Return whether OpenTelemetry's SDK is installed."""
    try:
        return find_spec("opentelemetry.sdk.trace") is not None
    except (ImportError, ValueError):
        return False


_instance: "list[_Tracing | None]" = []


def _tracing() -> "_Tracing | None":
    """Return the connection to OpenTelemetry, created once; None if it is not installed."""
    with _lock:
        if not _instance:
            _instance.append(_Tracing() if installed() else None)
        return _instance[0]


def ready() -> None:
    """Import OpenTelemetry before the first call."""
    _tracing()


def _unsupported(provider: object) -> str:
    """Return the note on a provider without span processors."""
    return (
        f"the application's TracerProvider is a {type(provider).__qualname__}, which takes no span "
        "processor, so its spans are not seen; expected one of opentelemetry-sdk"
    )


class _Tracing:
    """Our span processor, and the providers it was added to."""

    def __init__(self) -> None:
        self._api = import_module("opentelemetry.trace")
        self._context = import_module("opentelemetry.context")
        self._sdk = import_module("opentelemetry.sdk.trace")
        self._ids = import_module("opentelemetry.sdk.trace.id_generator").RandomIdGenerator()
        self._traces: dict[int, Recording] = {}
        self._providers: list[tuple[Any, str | None]] = []
        self._providers_lock = threading.RLock()
        self.processor = self._processor()
        self._watch()

    @contextmanager
    def new_root(self, record: Recording) -> Iterator[None]:
        """Start a new trace for the code inside.

        Its root is a non-recording span, which is not exported and marks the trace as sampled.
        """
        api, context = self._api, self._context
        trace_id, span_id = self._ids.generate_trace_id(), self._ids.generate_span_id()
        sampled = api.TraceFlags(api.TraceFlags.SAMPLED)
        root = api.SpanContext(trace_id, span_id, is_remote=True, trace_flags=sampled)
        record.root = f"{span_id:016x}"
        token = context.attach(api.set_span_in_context(api.NonRecordingSpan(root)))
        with _lock:
            self._traces[trace_id] = record
        try:
            yield
        finally:
            with _lock:
                del self._traces[trace_id]
            context.detach(token)

    def attach(self) -> str | None:
        """Add the processor to the global provider; set ours if there is none.

        Returns:
            Why spans may be missing; None if they are recorded.
        """
        provider = self._api.get_tracer_provider()
        if isinstance(provider, self._api.ProxyTracerProvider):
            provider = self._set_provider()
            if provider is None:
                return None
        return self._add_processor(provider)

    def _add_processor(self, provider: Any) -> str | None:
        """Add the processor to a provider, once."""
        with self._providers_lock:
            for earlier, note in self._providers:
                if earlier is provider:
                    return note
            add = getattr(provider, "add_span_processor", None)
            if add is not None:
                add(self.processor)
            note = None if add is not None else _unsupported(provider)
            self._providers.append((provider, note))
            return note

    def _set_provider(self) -> Any:
        """Set our provider if none is set, so that the application can still set its own.

        `set_tracer_provider` accepts one provider only, so its private variable is set. A version
        without this variable gets no provider.
        """
        if getattr(self._api, "_TRACER_PROVIDER", self) is not None:
            return None
        provider = self._sdk.TracerProvider(shutdown_on_exit=False)
        setattr(self._api, "_TRACER_PROVIDER", provider)  # noqa: B010 - a private name, see above
        return provider

    def _watch(self) -> None:
        """Add the processor to a provider that the application sets during a call."""
        original = getattr(self._api, "_set_tracer_provider", None)
        if original is None:
            return

        def set_and_attach(*args: Any, **kwargs: Any) -> None:
            original(*args, **kwargs)
            self.attach()

        setattr(self._api, "_set_tracer_provider", set_and_attach)  # noqa: B010 - a private name

    def _processor(self) -> Any:
        """Create the processor, which adds started spans to their recordings."""
        traces = self._traces

        def on_start(_: object, span: Any, *_args: object, **_named: object) -> None:
            record = traces.get(span.get_span_context().trace_id) or _current.get()
            if record is not None:
                record.add(span)

        members = {"on_start": on_start, "__doc__": "Shows pytest_evals the spans of trials."}
        return type("TrialSpans", (self._sdk.SpanProcessor,), members)()
