"""The spans that an application makes while it answers, by OpenTelemetry.

Every call has a `Recording`. A span processor of ours hangs on the application's TracerProvider
(never in its place, and never taking its spans from it) and hands each span, when it starts, to the
recording that it belongs to: that of its trace, else that of the context it starts in. So trials
that run at once, in threads or on one loop, do not mix. Where the application sets no provider, one
of ours stands in until it does.

Nothing of OpenTelemetry is imported unless its SDK is installed (the extra ``otel``).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pytest_evals.trace.convert import Converted, convert
from pytest_evals.trace.raw_span import RawSpan

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

MOST_COLLECTED = 20_000
"""Spans of one call that are held while it runs; later ones are counted."""

_current: ContextVar["Recording | None"] = ContextVar("pytest_evals_recording", default=None)
_lock = threading.Lock()


class Recording:
    """The spans of one call, as they start."""

    def __init__(self) -> None:
        self._spans: list[ReadableSpan] = []
        self._lost = 0
        self._open = True
        self.root: str | None = None
        """The id of the span of ours that the application's are children of."""
        self.note: str | None = None
        """Why there may be spans that are not seen."""

    def add(self, span: "ReadableSpan") -> None:
        """Take a span that has started; nothing once the call is over."""
        with _lock:
            if self._open and len(self._spans) < MOST_COLLECTED:
                self._spans.append(span)
            elif self._open:
                self._lost += 1

    def finish(self) -> Converted:
        """Return the spans as they are now; those that start later are not seen any more."""
        with _lock:
            self._open = False
            spans, self._spans = self._spans, []
        made = convert(map(_raw, spans), root=self.root, lost=self._lost)
        if self.note is not None:
            made.notes.append(self.note)
        return made


def _raw(span: "ReadableSpan") -> RawSpan:
    """Read a span of the SDK, which may still change in another thread."""
    from opentelemetry.trace import StatusCode

    assert span.context is not None
    status = span.status
    return RawSpan(
        id=f"{span.context.span_id:016x}",
        parent=None if span.parent is None else f"{span.parent.span_id:016x}",
        name=span.name,
        start_ns=span.start_time or 0,
        end_ns=span.end_time,
        attributes=_settled(span),
        events=[(e.name, e.timestamp, dict(e.attributes or {})) for e in tuple(span.events)],
        failed=status.status_code is StatusCode.ERROR,
        message=status.description or "",
        dropped=span.dropped_attributes + span.dropped_events,
    )


def _settled(span: "ReadableSpan") -> dict[str, Any]:
    """Copy a span's attributes, which may be written to meanwhile."""
    for _ in range(5):
        try:
            return dict(span.attributes or {})
        except RuntimeError:  # it changed while it was read
            continue
    return {}


@contextmanager
def recording() -> Iterator[Recording | None]:
    """Record the spans of what is called inside, in its threads and tasks too.

    None where OpenTelemetry's SDK is not installed.
    """
    taps = _taps()
    if taps is None:
        yield None
        return
    record = Recording()
    mark = _current.set(record)
    try:
        with taps.rooted(record):
            record.note = taps.attach()
            yield record
            record.note = record.note or taps.attach()
    finally:
        _current.reset(mark)


def installed() -> bool:
    """Whether OpenTelemetry's SDK can be imported."""
    try:
        return find_spec("opentelemetry.sdk.trace") is not None
    except (ImportError, ValueError):
        return False


_found: "list[_Taps | None]" = []


def _taps() -> "_Taps | None":
    """Return what ties us to OpenTelemetry, made once; None where it is not installed."""
    with _lock:
        if not _found:
            _found.append(_Taps() if installed() else None)
        return _found[0]


def ready() -> None:
    """Import what a first call would have to wait for."""
    _taps()


def _untapped(provider: object) -> str:
    """Say why a provider's spans are not seen."""
    return (
        f"the application's TracerProvider is a {type(provider).__qualname__}, which takes no span "
        "processor, so its spans are not seen; expected one of opentelemetry-sdk"
    )


class _Taps:
    """Our processor, and the providers it hangs on."""

    def __init__(self) -> None:
        self._api = import_module("opentelemetry.trace")
        self._context = import_module("opentelemetry.context")
        self._sdk = import_module("opentelemetry.sdk.trace")
        self._ids = import_module("opentelemetry.sdk.trace.id_generator").RandomIdGenerator()
        self._traces: dict[int, Recording] = {}
        self._tapped: list[tuple[Any, str | None]] = []
        self._tapping = threading.RLock()
        self.processor = self._processor()
        self._watch()

    @contextmanager
    def rooted(self, record: Recording) -> Iterator[None]:
        """Let what is called inside be one trace: that of the caller, else a new one.

        The span around it is none that anybody exports: it only says that the trace is sampled.
        """
        api, context = self._api, self._context
        trace_id, span_id = self._ids.generate_trace_id(), self._ids.generate_span_id()
        sampled = api.TraceFlags(api.TraceFlags.SAMPLED)
        around = api.SpanContext(trace_id, span_id, is_remote=True, trace_flags=sampled)
        record.root = f"{span_id:016x}"
        token = context.attach(api.set_span_in_context(api.NonRecordingSpan(around)))
        with _lock:
            self._traces[trace_id] = record
        try:
            yield
        finally:
            with _lock:
                del self._traces[trace_id]
            context.detach(token)

    def attach(self) -> str | None:
        """Hang the processor on the global provider; one of ours where there is none.

        Returns:
            Why spans may not be seen; None where they are.
        """
        provider = self._api.get_tracer_provider()
        if isinstance(provider, self._api.ProxyTracerProvider):
            provider = self._stand_in()
            if provider is None:
                return None
        return self._tap(provider)

    def _tap(self, provider: Any) -> str | None:
        """Hang the processor on a provider, once."""
        with self._tapping:
            for known, note in self._tapped:
                if known is provider:
                    return note
            add = getattr(provider, "add_span_processor", None)
            if add is not None:
                add(self.processor)
            note = None if add is not None else _untapped(provider)
            self._tapped.append((provider, note))
            return note

    def _stand_in(self) -> Any:
        """Put a provider of ours where none is set, so that the application's still can be.

        `set_tracer_provider` would refuse the application's own afterwards, so the variable behind
        it is set; where a later version has none, there is no stand-in.
        """
        if getattr(self._api, "_TRACER_PROVIDER", self) is not None:
            return None
        provider = self._sdk.TracerProvider(shutdown_on_exit=False)
        setattr(self._api, "_TRACER_PROVIDER", provider)  # noqa: B010 - a private name, see above
        return provider

    def _watch(self) -> None:
        """Hang the processor on the provider that the application sets during a call."""
        original = getattr(self._api, "_set_tracer_provider", None)
        if original is None:
            return

        def set_and_tap(*args: Any, **kwargs: Any) -> None:
            original(*args, **kwargs)
            self.attach()

        setattr(self._api, "_set_tracer_provider", set_and_tap)  # noqa: B010 - a private name

    def _processor(self) -> Any:
        """Make the processor: it hands spans to their recordings when they start."""
        traces = self._traces

        def on_start(_: object, span: Any, *_args: object, **_named: object) -> None:
            record = traces.get(span.get_span_context().trace_id) or _current.get()
            if record is not None:
                record.add(span)

        members = {"on_start": on_start, "__doc__": "Shows pytest_evals the spans of trials."}
        return type("TrialSpans", (self._sdk.SpanProcessor,), members)()
