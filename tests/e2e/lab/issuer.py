"""An OAuth issuer's token introspection endpoint (RFC 7662) over TLS, as far as tests need it."""

import base64
import http.server
import json
import ssl
import subprocess
import threading
import urllib.parse

CLIENT = ("mail server", "s3cret/:&")


class Issuer:
    def __init__(self, folder, port):
        self.port = port
        self.tokens = {}  # token -> claims
        self.asked = []
        self.status = 200
        self.gate = None  # an Event: questions are answered once it is set
        folder.mkdir(parents=True, exist_ok=True)
        self.ca, key, self.certificate = folder / "ca.pem", folder / "key.pem", folder / "cert.pem"
        run = lambda *command: subprocess.run(command, check=True, capture_output=True)  # noqa: E731
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        run("openssl", "req", "-x509", *curve, "-keyout", folder / "ca.key", "-out", self.ca, "-subj", "/CN=Test issuer CA",
            "-days", "2")
        run("openssl", "req", *curve, "-keyout", key, "-out", folder / "csr.pem", "-subj", "/CN=localhost")
        (folder / "ext").write_text("subjectAltName=DNS:localhost,DNS:id.example.test\n")
        run("openssl", "x509", "-req", "-in", folder / "csr.pem", "-CA", self.ca, "-CAkey", folder / "ca.key", "-CAcreateserial",
            "-out", self.certificate, "-days", "1", "-extfile", folder / "ext")
        self.secret_file = folder / "secret"
        self.secret_file.write_text(CLIENT[1] + "\n")
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                expected = base64.b64encode(":".join(urllib.parse.quote(part, safe="") for part in CLIENT).encode()).decode()
                status = issuer.status if self.headers["Authorization"] == "Basic " + expected else 401
                issuer.asked.append(form["token"][0])
                if issuer.gate:
                    issuer.gate.wait(30)
                body = json.dumps(issuer.tokens.get(form["token"][0], {"active": False})).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def url(self, host="localhost"):
        return f"https://{host}:{self.port}/introspect"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
