"""`daybook serve`."""

from __future__ import annotations

from pathlib import Path

import click

from daybook.settings import Settings

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--workers", default=1, show_default=True, type=click.IntRange(1, 256), help="Processes that serve: one a core."
)
@click.option("--tls-cert", type=_FILE, help="PEM file of a certificate and those between it and its root.")
@click.option("--tls-key", type=_FILE, help="PEM file of its private key, without a password.")
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help='Receives {"url": …, "pid": …} once the endpoint accepts connections; gone when it is.',
)
def serve(
    host: str, port: int, workers: int, tls_cert: Path | None, tls_key: Path | None, ready_file: Path | None
) -> int:
    """Serve the OpenAI-compatible endpoint until Ctrl-C.

    Every call is entered in the journal before its answer is handed over, and drained into the book every
    few seconds. The log, one line of JSON a request, goes to standard error.

    While no key exists, whoever is on this machine may call; the first `daybook keys create` ends that.
    An address that other machines can reach needs a key from the start.

    \b
    Examples:
      daybook serve
      daybook serve --port 0 --ready-file /tmp/daybook.json
      daybook serve --host 0.0.0.0                         (after: daybook keys create NAME)
      daybook serve --tls-cert chain.pem --tls-key key.pem (or leave TLS to a proxy in front of it)
      daybook serve --workers 4                            (one address; limits and figures over all of them)

    \b
    Then, with any OpenAI client:
      client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="db-…")
      client.chat.completions.create(model="smollm2-135m-instruct", messages=[…])
    """
    from daybook import gateway
    from daybook.gateway.http.listen import Certificate

    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key belong together.")
    certificate = None if tls_cert is None or tls_key is None else Certificate(tls_cert, tls_key)
    return gateway.serve(
        Settings.from_env(),
        host=host,
        port=port,
        workers=workers,
        certificate=certificate,
        ready_file=ready_file,
        then=_say,
    )


def _say(url: str) -> None:
    click.echo(f"Daybook serves at {url}/v1 (Ctrl-C stops it). Ready? {url}/health/ready", err=True)
