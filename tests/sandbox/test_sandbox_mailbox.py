import asyncio
from email.message import EmailMessage

import aiosmtplib
import pytest


def mail(text="paid\n.\nin full", to="ops@example.com"):
    message = EmailMessage()
    message["From"] = "notifier@example.com"
    message["To"] = to
    message["Subject"] = "Order charged ₹249.50"
    message.set_content(text)
    return message


async def send(world, message):
    return await aiosmtplib.send(message, hostname=world.smtp_host, port=world.smtp_port, start_tls=False)


async def test_a_mail_is_kept_and_parsed(world, clock):
    await send(world, mail())
    (got,) = world.mailbox.mails
    assert (got.sender, got.recipients) == ("notifier@example.com", ("ops@example.com",))
    assert got.message["Subject"] == "Order charged ₹249.50"
    assert got.message.get_content().split() == ["paid", ".", "in", "full"]
    assert got.received_at == clock.now()
    assert b"Subject: " in got.raw


@pytest.mark.parametrize("code", [450, 550])
async def test_a_recipient_is_refused(world, code):
    world.mailbox.refuse("OPS@example.com", code, text="no such box")
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refusal:
        await send(world, mail())
    assert refusal.value.recipients[0].code == code
    assert len(world.mailbox.mails) == 0
    await send(world, mail(to="meera@example.com"))
    assert len(world.mailbox.mails) == 1


async def test_a_refusal_may_last_for_so_many_times(world):
    world.mailbox.refuse("ops@example.com", 451, count=1)
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        await send(world, mail())
    await send(world, mail())
    assert len(world.mailbox.mails) == 1


async def test_a_recipient_is_accepted_again(world):
    world.mailbox.refuse("ops@example.com", 550)
    world.mailbox.accept("ops@example.com")
    await send(world, mail())
    assert len(world.mailbox.mails) == 1


async def test_one_waits_for_a_mail(world):
    waiting = asyncio.create_task(
        world.mailbox.wait_for(lambda got: "second" in got.message.get_content(), 5)
    )
    await send(world, mail("first"))
    assert not waiting.done()
    await send(world, mail("second"))
    assert (await waiting).message.get_content().strip() == "second"


async def test_stopping_hangs_up_on_those_who_stay(world):
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(world.smtp_host, world.smtp_port)
        assert (await reader.readline()).startswith(b"220")
        await world.mailbox.stop()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
