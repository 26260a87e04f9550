"""Sockets in the picture, against `ss`, `lsof` and the programs themselves."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandboxes import like_docker
from subjects import held, picture, run, seen_by, subject, until

from labkit.draw import text
from labkit.kernel import sockets
from labkit.kernel.sock_diag import SockDiag
from labkit.scene import Scene
from labkit.words import EMPTY_MESSAGE
from labkit.xray import XRay

needs_ss = pytest.mark.skipif(shutil.which("ss") is None, reason="ss is not installed")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root enters another namespace")


def unix_as_ss_sees(inode: int) -> list[str]:
    """State, receive queue, send queue, name, own inode, peer's inode."""
    rows = [line.split() for line in run("ss", "-xanH").splitlines()]
    (row,) = [row for row in rows if row[5] == str(inode)]
    return [row[1], row[2], row[3], row[4], row[7]]


def inet_as_ss_sees(inode: int) -> list[str]:
    """State, receive queue, send queue, local, remote."""
    rows = [line.split() for line in run("ss", "-tuaneH").splitlines()]
    (row,) = [row for row in rows if f"ino:{inode}" in row]
    return row[1:6]


# --- Unix sockets -----------------------------------------------------------------------------------

PAIRS = """
a, b = socket.socketpair()
a.send(b"hello ")
a.send(b"world")
c, d = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
c.send(b"one")
c.send(b"three")
e, f = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
e.send(b"first")
e.send(b"second!")
ready(**{name: [s.fileno(), inode(s)] for name, s in dict(a=a, b=b, c=c, d=d, e=e, f=f).items()})
got = [b.recv(100), d.recv(100), d.recv(100), f.recv(100), f.recv(100)]
ready(got=[data.decode() for data in got])
"""


def test_pairs_show_peers_bytes_and_first_messages():
    with subject(PAIRS) as program:
        scene = picture(program.pid)
        ends = {name: held(scene, program.pid, fd) for name, (fd, _) in program.facts.items()}
        assert ends["a"].peer == ends["b"].id
        assert ends["b"].peer == ends["a"].id
        assert (ends["b"].type, ends["b"].state, ends["b"].path) == ("stream", "connected", None)
        assert (ends["b"].queued, ends["b"].head, ends["b"].notes) == (11, b"hello world", ())
        assert (ends["a"].queued, ends["a"].head) == (0, b"")
        assert (ends["d"].type, ends["d"].queued, ends["d"].head) == ("seqpacket", 8, b"one")
        assert ends["d"].notes == ("messages keep their boundaries: the first has 3 of these 8 bytes",)
        assert (ends["f"].type, ends["f"].queued, ends["f"].head) == ("dgram", 5, b"first")
        assert "first message has 5 bytes" in ends["f"].notes[0]


def test_a_datagram_of_no_bytes_is_not_nothing():
    source = "a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); a.send(b''); a.send(b'more')\n"
    with subject(source + "ready(full=b.fileno(), empty=a.fileno())") as program:
        scene = picture(program.pid)
        full, empty = (held(scene, program.pid, program.facts[end]) for end in ("full", "empty"))
    assert (full.queued, full.head, full.notes) == (0, b"", (EMPTY_MESSAGE,))
    assert (empty.queued, empty.notes) == (0, ())
    assert "0 bytes to receive" in text(scene)


def test_a_tcp_listener_s_line_is_told():
    source = """
door = socket.create_server(("127.0.0.1", 0), backlog=5)
guests = [socket.create_connection(door.getsockname()) for _ in range(2)]
ready()
"""
    with subject(source) as program:
        said = text(picture(program.pid))
    assert "2 connections waiting, backlog 5" in said
    assert "bytes to receive: not visible here" not in said


@needs_ss
def test_queued_bytes_and_peers_are_those_of_ss():
    with subject(PAIRS) as program:
        scene = picture(program.pid)
        inodes = {held(scene, program.pid, fd).id: inode for fd, inode in program.facts.values()}
        for fd, inode in program.facts.values():
            socket = held(scene, program.pid, fd)
            assert unix_as_ss_sees(inode)[1] == str(socket.queued)
            assert unix_as_ss_sees(inode)[4] == str(inodes[socket.peer])


def test_looking_takes_no_bytes_and_no_messages():
    with subject(PAIRS) as program:
        xray = XRay()
        for _ in range(30):
            xray.look(program.pid)
        program.go()
        assert program.said()["got"] == ["hello world", "one", "three", "first", "second!"]


def test_peeking_respects_a_peek_offset_that_the_program_set():
    source = """
a, b = socket.socketpair()
a.send(b"0123456789")
b.setsockopt(socket.SOL_SOCKET, 42, 0)
b.recv(4, socket.MSG_PEEK)
ready(fd=b.fileno())
ready(offset=b.getsockopt(socket.SOL_SOCKET, 42), next=b.recv(3, socket.MSG_PEEK).decode())
"""
    with subject(source) as program:
        scene = picture(program.pid)
        shown = held(scene, program.pid, program.facts["fd"])
        assert (shown.queued, shown.head) == (10, None)
        program.go()
        assert program.said() == {"offset": 4, "next": "456"}


def test_looking_leaves_the_peek_offset_unset():
    source = """
a, b = socket.socketpair()
a.send(b"0123456789")
ready(fd=b.fileno())
ready(offset=b.getsockopt(socket.SOL_SOCKET, 42), next=b.recv(3, socket.MSG_PEEK).decode())
"""
    with subject(source) as program:
        assert held(picture(program.pid), program.pid, program.facts["fd"]).head == b"0123456789"
        program.go()
        assert program.said() == {"offset": -1, "next": "012"}


def test_descriptors_in_flight_are_counted_and_all_arrive():
    source = """
a, b = socket.socketpair()
r, w = os.pipe()
os.write(w, b"through the pipe")
socket.send_fds(a, [b"two"], [r, w])
os.close(r)
os.close(w)
ready(fd=b.fileno(), tables=len(os.listdir("/proc/self/fd")))
before = set(os.listdir("/proc/self/fd"))
data, fds, flags, address = socket.recv_fds(b, 100, 5)
ready(data=data.decode(), fds=len(fds), read=os.read(fds[0], 100).decode(), cut=bool(flags))
"""
    with subject(source) as program:
        xray = XRay()
        for _ in range(30):
            scene = xray.look(program.pid)
        shown = held(scene, program.pid, program.facts["fd"])
        assert (shown.in_flight, shown.queued, shown.head) == (2, 3, b"two")
        program.go()
        assert program.said() == {"data": "two", "fds": 2, "read": "through the pipe", "cut": False}


LISTENER = """
listener = socket.socket(socket.AF_UNIX, {type})
listener.bind({address})
listener.listen(3)
clients = [socket.socket(socket.AF_UNIX, {type}) for _ in range(2)]
for client in clients:
    client.connect({address})
clients[0].send(b"early")
ready(listener=[listener.fileno(), inode(listener)], clients=[[c.fileno(), inode(c)] for c in clients])
accepted, _ = listener.accept()
ready(accepted=accepted.fileno(), data=None)
assert accepted.recv(10) == b"early"
"""


@needs_ss
@pytest.mark.parametrize("type_", ["stream", "seqpacket"])
def test_a_backlog_shows_how_many_wait_and_who(type_):
    source = LISTENER.format(type=f"socket.SOCK_{type_.upper()}", address="b'\\0labkit-test\\0x'")
    with subject(source) as program:
        scene = picture(program.pid)
        fd, inode = program.facts["listener"]
        listener = held(scene, program.pid, fd)
        clients = [held(scene, program.pid, fd) for fd, _ in program.facts["clients"]]
        assert (listener.state, listener.type, listener.path) == ("listening", type_, "@labkit-test@x")
        assert (listener.waiting, listener.backlog, listener.queued) == (2, 3, None)
        assert unix_as_ss_sees(inode)[:4] == ["LISTEN", "2", "3", "@labkit-test@x"]
        assert [client.peer for client in clients] == [listener.id] * 2
        assert all("not accepted yet" in client.notes[0] for client in clients)
        assert all(client.id in listener.notes[0] for client in clients)
        program.go()
        accepted = program.said()["accepted"]
        scene = picture(program.pid)
        server = held(scene, program.pid, accepted)
        assert server.peer == clients[0].id or server.head == b"early"
        assert held(scene, program.pid, program.facts["clients"][0][0]).peer == server.id
        assert held(scene, program.pid, fd).waiting == 1


def test_a_path_with_a_newline_and_bytes_that_are_no_text(tmp_path):
    path = bytes(tmp_path) + b"/a\nb\xff) "
    with subject(LISTENER.format(type="socket.SOCK_STREAM", address=repr(path))) as program:
        listener = held(picture(program.pid), program.pid, program.facts["listener"][0])
        assert listener.path == str(tmp_path) + "/a\nb\\xff) "
        Scene.from_json(picture(program.pid).to_json().encode())


def test_a_closed_and_a_half_closed_peer():
    source = """
a, b = socket.socketpair()
a.send(b"bye")
a.close()
c, d = socket.socketpair()
c.shutdown(socket.SHUT_WR)
e = socket.socket(socket.AF_UNIX)
ready(b=b.fileno(), c=c.fileno(), d=d.fileno(), e=e.fileno())
"""
    with subject(source) as program:
        scene = picture(program.pid)
        b, c, d, e = (held(scene, program.pid, fd) for fd in program.facts.values())
        assert (b.state, b.peer, b.queued, b.head) == ("closed", None, 3, b"bye")
        assert b.notes == ("the other end is closed",)
        assert (c.state, c.notes) == ("connected", ("shut down for sending",))
        assert d.notes[0].startswith("shut down for receiving")
        assert (e.state, e.peer) == ("unconnected", None)


def test_a_peer_outside_the_picture_is_said_to_be_outside():
    source = """
a, b = socket.socketpair()
def hold():
    a.close()
    signal.pause()
pid = child(hold)
b.close()
ready(a=a.fileno(), child=pid)
"""
    with subject(source) as program:
        both = picture(program.pid, "pause")
        assert held(both, program.pid, program.facts["a"]).peer is not None
        scene = picture(program.facts["child"])
        shown = next(o for o in scene.objects if o.kind == "unix-socket")
        assert (shown.peer, shown.state) == (None, "connected")
        assert shown.notes == ("no process in the picture holds the other end",)


# --- internet sockets -------------------------------------------------------------------------------

TCP = """
listener = socket.create_server(({host!r}, 0), family=socket.{family}, backlog=7)
port = listener.getsockname()[1]
waiting = socket.create_connection(({client!r}, port))
waiting.send(b"not taken")
server, _ = listener.accept()
more = socket.create_connection(({client!r}, port))
waiting.send(b", not yet")
server.send(b"answer")
ready(port=port, listener=[listener.fileno(), inode(listener)], client=[waiting.fileno(), inode(waiting)],
      server=[server.fileno(), inode(server)], more=[more.fileno(), inode(more)])
ready(got=server.recv(100).decode(), answer=waiting.recv(100).decode())
"""


@needs_ss
@pytest.mark.parametrize(
    ("host", "client", "family", "protocol"),
    [
        ("127.0.0.1", "127.0.0.1", "AF_INET", "tcp"),
        ("::1", "::1", "AF_INET6", "tcp6"),
    ],
)
def test_tcp_states_addresses_and_queues_are_those_of_ss(host, client, family, protocol):
    with subject(TCP.format(host=host, client=client, family=family)) as program:
        facts = program.facts
        scene = picture(program.pid)
        shown = {name: held(scene, program.pid, facts[name][0]) for name in facts if name != "port"}
        listener, server, first, more = (shown[n] for n in ("listener", "server", "client", "more"))
        assert (listener.state, listener.waiting, listener.backlog) == ("LISTEN", 1, 7)
        assert inet_as_ss_sees(facts["listener"][1])[:3] == ["LISTEN", "1", "7"]
        for name in ("server", "client"):
            state, receive, send, local, remote = inet_as_ss_sees(facts[name][1])
            assert state == "ESTAB"
            assert shown[name].state == "ESTABLISHED"
            assert (str(shown[name].receive_queue), str(shown[name].send_queue)) == (receive, send)
            assert (shown[name].local, shown[name].remote) == (local, remote)
            assert shown[name].protocol == protocol
        assert (server.peer, first.peer, more.peer) == (first.id, server.id, listener.id)
        assert server.head == b"not taken, not yet"
        assert first.head == b"answer"
        assert "not accepted yet" in more.notes[0]
        assert more.id in listener.notes[0]
        program.go()
        assert program.said() == {"got": "not taken, not yet", "answer": "answer"}


def test_a_dual_stack_server_is_its_ipv4_clients_peer():
    source = TCP.format(host="::", client="127.0.0.1", family="AF_INET6").replace(
        "backlog=7", "backlog=7, dualstack_ipv6=True"
    )
    with subject(source) as program:
        scene = picture(program.pid)
        server, client = (held(scene, program.pid, program.facts[n][0]) for n in ("server", "client"))
        assert (server.protocol, client.protocol) == ("tcp6", "tcp")
        assert (server.peer, client.peer) == (client.id, server.id)
        assert held(scene, program.pid, program.facts["more"][0]).peer is not None


def test_a_half_closed_connection_is_in_close_wait():
    source = """
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
client.shutdown(socket.SHUT_WR)
ready(client=client.fileno(), server=server.fileno())
"""
    with subject(source) as program:
        xray, fds = XRay(), program.facts.values()

        def states() -> list[str]:
            scene = xray.look(program.pid)
            return [held(scene, program.pid, fd).state for fd in fds]

        until(states, lambda found: found == ["FIN_WAIT2", "CLOSE_WAIT"])  # once it is acknowledged


@needs_ss
def test_a_closed_connection_stays_in_the_picture_until_time_wait_is_over():
    source = """
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
ready(client=client.fileno(), server=server.fileno())
client.close()
server.close()
listener.close()
ready()
"""
    with subject(source) as program:
        xray = XRay()
        scene = xray.look(program.pid)
        client, _server = (held(scene, program.pid, fd) for fd in program.facts.values())
        program.go()
        program.said()

        def after() -> dict[str, str]:
            return {o.id: o.state for o in xray.look(program.pid).objects if o.kind == "inet-socket"}

        until(after, lambda found: found == {client.id: "TIME_WAIT"})
        listed = [line.split()[2:4] for line in run("ss", "-tanH", "state", "time-wait").splitlines()]
        assert [client.local, client.remote] in listed
        assert not [o for o in XRay().look(program.pid).objects if o.kind == "inet-socket"]


@needs_ss
def test_udp_queues_are_those_of_ss_and_the_head_is_the_first_datagram():
    source = """
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 0))
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.connect(server.getsockname())
client.send(b"first")
client.send(b"second")
ready(server=[server.fileno(), inode(server)], client=[client.fileno(), inode(client)])
ready(got=[server.recv(100).decode(), server.recv(100).decode()])
"""
    with subject(source) as program:
        scene = picture(program.pid)
        server, client = (held(scene, program.pid, fd) for fd, _ in program.facts.values())
        assert (server.protocol, server.state, client.state) == ("udp", "unconnected", "connected")
        assert str(server.receive_queue) == inet_as_ss_sees(program.facts["server"][1])[1]
        assert server.head == b"first"
        assert "5 bytes" in server.notes[0]
        assert client.peer == server.id
        program.go()
        assert program.said()["got"] == ["first", "second"]


def test_looking_does_not_take_a_pending_error():
    source = """
taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
taken.bind(("127.0.0.1", 0))
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.bind(("127.0.0.1", 0))
client.connect(taken.getsockname())
taken.sendto(b"hello", client.getsockname())
taken.close()
client.send(b"to nobody")
ready(fd=client.fileno())
try:
    client.recv(100)
    ready(error=None)
except OSError as error:
    ready(error=error.errno, then=client.recv(100).decode())
"""
    with subject(source) as program:
        xray = XRay()
        for _ in range(5):
            scene = xray.look(program.pid)
        assert held(scene, program.pid, program.facts["fd"]).receive_queue > 0
        program.go()
        assert program.said() == {"error": 111, "then": "hello"}


def test_other_families_have_a_name():
    source = """
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
space = os.open("/proc/self/ns/net", os.O_RDONLY)
ready(fd=s.fileno(), space=space, name=os.readlink("/proc/self/ns/net"))
"""
    with subject(source) as program:
        scene = picture(program.pid)
        shown = held(scene, program.pid, program.facts["fd"])
        assert (shown.kind, shown.name) == ("other", "netlink socket")
        assert held(scene, program.pid, program.facts["space"]).name == program.facts["name"]


def test_one_that_asks_to_be_connected_says_whom_it_asks():
    source = """
door = socket.create_server(("127.0.0.1", 0), backlog=0)
waiting = socket.create_connection(door.getsockname())
asking = socket.socket()
asking.setblocking(False)
asking.connect_ex(door.getsockname())
ready(fd=asking.fileno(), port=door.getsockname()[1])
"""
    with subject(source) as program:
        shown = held(picture(program.pid), program.pid, program.facts["fd"])
        assert (shown.state, shown.remote) == ("SYN_SENT", f"127.0.0.1:{program.facts['port']}")


# --- elsewhere, and with fewer rights ---------------------------------------------------------------


@needs_root
def test_sockets_of_another_network_namespace():
    with subject(PAIRS, before=["unshare", "--net"]) as program:
        scene = picture(program.pid)
        a, b = (held(scene, program.pid, program.facts[name][0]) for name in "ab")
        assert (a.peer, b.queued, b.head) == (b.id, 11, b"hello world")


def seen_without(pid: int, *calls: str) -> Scene:
    """The picture that a labkit gets whose filter refuses these calls."""
    return seen_by(pid, preexec_fn=like_docker(*calls))


def test_without_pidfd_getfd_all_but_the_bytes_of_unix_sockets_is_seen():
    with subject(PAIRS) as program:
        scene = seen_without(program.pid, "pidfd_getfd", "kcmp")
        a, b = (held(scene, program.pid, program.facts[name][0]) for name in "ab")
        assert (a.peer, b.state, b.queued, b.head) == (b.id, "connected", 11, None)
        assert any("socket" in limit.what for limit in scene.limits), scene.limits


def test_without_pidfd_getfd_internet_sockets_come_from_proc():
    source = TCP.format(host="127.0.0.1", client="127.0.0.1", family="AF_INET")
    with subject(source) as program:
        scene = seen_without(program.pid, "pidfd_getfd", "kcmp")
        listener, server, client, more = (
            held(scene, program.pid, program.facts[n][0]) for n in ("listener", "server", "client", "more")
        )
        assert (listener.state, listener.waiting, listener.backlog) == ("LISTEN", 1, None)
        assert (server.state, server.receive_queue, server.head) == ("ESTABLISHED", 18, None)
        assert (server.peer, client.peer) == (client.id, server.id)
        assert more.peer == listener.id


# --- parsing ----------------------------------------------------------------------------------------


def test_sock_diag_answers_for_our_own_sockets_and_for_no_other_inode():
    read, write = os.pipe()
    try:
        with SockDiag.here() as diag:
            assert diag.unix([os.fstat(read).st_ino, 2**31]) == {}
    finally:
        os.close(read)
        os.close(write)


def test_proc_addresses_of_both_families():
    line = b"  0: %b:1F90 %b:0000 0A 00000000:00000003 00:00000000 00000000  0  0 77 1\n"
    v4 = sockets.parse_proc_inet("tcp", b"head\n" + line % (b"0100007F", b"00000000"))[77]
    assert (v4.local, v4.remote, v4.state, v4.waiting) == (("127.0.0.1", 8080), None, "LISTEN", 3)
    six = b"00000000000000000000000001000000"
    v6 = sockets.parse_proc_inet("tcp6", b"head\n" + line % (six, six))[77]
    assert sockets.shown_address(v6.local) == "[::1]:8080"


@given(st.binary())
def test_any_name_can_be_shown(name):
    shown = sockets.shown_name(b"\0" + name)
    assert shown is not None
    assert shown.startswith("@")
    assert shown.encode()


@given(st.binary())
def test_the_listing_of_unix_sockets_may_hold_any_line(noise):
    good = b"0000000000000000: 00000002 00000000 00010000 0001 01 4242 /run/x y\n"
    found = sockets.parse_proc_unix(b"Num\n" + good + noise.replace(b"\n", b" "))
    assert found[4242] == sockets.UnixFacts(4242, "stream", "listening", "/run/x y")
