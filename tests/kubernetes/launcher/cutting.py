"""A TCP proxy before the API server that can be told to cut its streams, to hold its tongue, or to lie in wait."""

import asyncio
import contextlib
import pathlib
import socket
import urllib.parse

import yaml


class Proxy:
    """Passes bytes between clients and the API server of a kubeconfig."""

    def __init__(self, kubeconfig: pathlib.Path) -> None:
        self._config = yaml.safe_load(kubeconfig.read_text())
        server = urllib.parse.urlsplit(self._config["clusters"][0]["cluster"]["server"])
        self._target = (server.hostname, server.port)
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.accepts = True

    async def start(self, folder: pathlib.Path) -> pathlib.Path:
        """Listen; the kubeconfig that leads through here."""
        held = socket.create_server(("127.0.0.1", 0))
        self._server = await asyncio.start_server(self._serve, sock=held)
        self._config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{held.getsockname()[1]}"
        file = folder / "kubeconfig"
        file.write_text(yaml.safe_dump(self._config))
        return file

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.accepts:
            writer.transport.abort()
            return
        theirs_reader, theirs = await asyncio.open_connection(*self._target)
        self._open |= {writer, theirs}
        with contextlib.suppress(ConnectionError):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, theirs))
                group.create_task(self._pass(theirs_reader, writer))
        self._open -= {writer, theirs}

    @staticmethod
    async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except (ConnectionError, OSError):
            pass
        finally:
            writer.transport.abort()

    def cut(self) -> None:
        """Break all connections, in the middle of whatever they say."""
        for writer in list(self._open):
            writer.transport.abort()

    async def stop(self) -> None:
        self.cut()
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
