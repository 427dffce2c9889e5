"""A driver on asyncio's streams. They read ahead, so octets may be held when a handshake is due."""

import asyncio
from time import monotonic

from checker_smtp.drivers import classify, client_context, sni_name
from smtp_sansio import Connect, Done, Failed, Receive, Received, Secured, Send, Upgrade


async def run(script):
    """Run `script` to its end and return what it returns."""
    streams = Streams()
    try:
        effect = next(script)
        while True:
            effect = script.send(await streams.perform(effect))
    except StopIteration as stop:
        return stop.value
    finally:
        script.close()
        if streams.writer is not None:
            streams.writer.transport.abort()


class Streams:
    def __init__(self):
        self.started_at, self.reader, self.writer = monotonic(), None, None

    async def perform(self, effect):
        if effect.timeout <= 0:  # there is no time: nothing is done
            return Failed(self.at(), effect.late)
        try:
            async with asyncio.timeout(effect.timeout):
                match effect:
                    case Connect(host, port):
                        self.reader, self.writer = await asyncio.open_connection(host, port)
                    case Send(data):
                        self.writer.write(data)
                        await self.writer.drain()
                    case Receive():
                        data = await self.reader.read(65536)  # all that is held, never a line
                        return Received(self.at(), data)
                    case Upgrade(server_name):
                        return await self.upgrade(server_name)
                return Done(self.at())
        except TimeoutError:
            return Failed(self.at(), effect.late)
        except OSError as error:
            return Failed(self.at(), *classify(error))

    async def upgrade(self, server_name):
        self.writer.transport.pause_reading()
        try:
            async with asyncio.timeout(0):  # only what is held already
                return Received(self.at(), await self.reader.read(65536))
        except TimeoutError:
            await self.writer.start_tls(client_context(), server_hostname=sni_name(server_name))
        tls = self.writer.get_extra_info("ssl_object")
        return Secured(self.at(), tls.version(), tls.cipher()[0])

    def at(self):
        return round(monotonic() - self.started_at, 3)
