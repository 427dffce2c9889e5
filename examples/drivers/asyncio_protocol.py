"""A driver on a bare asyncio.Protocol, which is given octets whether or not the script asks for them."""

import asyncio

from checker_smtp.drivers import classify, client_context, sni_name
from smtp_sansio import Connect, Done, Failed, Receive, Received, Secured, Send, Upgrade


async def run(script):
    client, started_at = Client(), (loop := asyncio.get_running_loop()).time()
    try:
        effect = next(script)
        while True:
            try:  # with the timeout 0, wait_for ends what it waits for before that begins
                kind, *result = await asyncio.wait_for(client.perform(effect, loop), effect.timeout)
            except OSError as error:
                kind, result = Failed, [effect.late] if isinstance(error, TimeoutError) else classify(error)
            effect = script.send(kind(round(loop.time() - started_at, 3), *result))
    except StopIteration as stop:
        return stop.value
    finally:
        script.close()
        client.abort()


class Client(asyncio.Protocol):
    def __init__(self):
        self.abort, self.held, self.end = bool, b"", None
        self.readable, self.writable = asyncio.Event(), asyncio.Event()
        self.pause_writing, self.resume_writing = self.writable.clear, self.writable.set

    def connection_made(self, transport):
        self.transport, self.abort = transport, transport.abort
        transport.set_write_buffer_limits(0)  # so that a Send is done when all is written
        self.writable.set()

    def data_received(self, data, end=None):
        self.held, self.end = self.held + data, end
        self.readable.set()

    def connection_lost(self, error):
        self.data_received(b"", error or EOFError())
        self.writable.set()

    async def perform(self, effect, loop):
        match effect:
            case Connect(host, port):
                await loop.create_connection(lambda: self, host, port)
            case Send(data):
                self.transport.write(data)
                await self.writable.wait()
            case Receive():
                await self.readable.wait()
                return self.take()
            case Upgrade(server_name):
                self.transport.pause_reading()
                return self.take() if self.held else await self.secure(loop, sni_name(server_name))
        return (Done,)

    def take(self):
        if not self.held and isinstance(self.end, OSError):
            raise self.end
        data, self.held = self.held, b""
        if self.end is None:
            self.readable.clear()
        return Received, data

    async def secure(self, loop, name):
        new = await loop.start_tls(self.transport, self, client_context(), server_hostname=name)
        self.transport, tls = new, new.get_extra_info("ssl_object")
        return Secured, tls.version(), tls.cipher()[0]
