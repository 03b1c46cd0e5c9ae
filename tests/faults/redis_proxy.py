"""The network between one node and its Redis: a proxy that can be cut.

`hold`: nothing gets through any more, in either direction, and nobody is told; what was sent comes
late, when the network is back, as TCP does it. `cut`: connections are reset, new ones too."""
import socket
import struct
import threading

LINGER = struct.pack("ii", 1, 0)  # an end is a reset


class Proxy:
    def __init__(self, port):
        self.to = port
        self.passes, self.refuses = threading.Event(), False
        self.passes.set()
        self.lock, self.open = threading.Lock(), set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.refuses:
                self.end(near)
                continue
            threading.Thread(target=self.connect, args=(near,), daemon=True).start()

    def connect(self, near):
        self.passes.wait()
        try:
            far = socket.create_connection(("127.0.0.1", self.to), 10)
            far.settimeout(None)
        except OSError:
            self.end(near)
            return
        with self.lock:
            self.open |= {near, far}
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=self.pump, args=(one, other), daemon=True).start()

    def pump(self, one, other):
        try:
            while data := one.recv(65536):
                self.passes.wait()
                other.sendall(data)
        except OSError:
            pass
        self.end(one, other)

    def end(self, *sockets):
        with self.lock:
            self.open -= set(sockets)
        for s in sockets:
            try:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # its other half was faster
            s.close()

    def hold(self):
        self.passes.clear()

    def cut(self):
        self.refuses = True
        with self.lock:
            sockets = list(self.open)
        self.end(*sockets)

    def mend(self):
        self.refuses = False
        self.passes.set()

    def close(self):
        self.mend()
        self.listener.close()
        self.cut()
