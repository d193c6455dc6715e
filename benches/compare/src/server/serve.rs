//! The process of the server.

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use super::Manner;
use super::answers::{Answers, DELAY, SOON};
use super::request::Request;
use crate::failure::Failure;

const CERTIFICATE: &[u8] = include_bytes!("../../../../tests/tls/server.pem");
const KEY: &[u8] = include_bytes!("../../../../tests/tls/server.key");

/// A thousand of them are to be cheap.
const STACK: usize = 128 * 1024;

/// Prints its port and answers until its input ends.
pub fn serve(scheme: &str) -> Result<(), Failure> {
    let encryption = match scheme {
        "http" => None,
        "https" => Some(encryption()?),
        _ => return Err(format!("the scheme {scheme} is not known: http, https").into()),
    };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    let answers = Arc::new(Answers::new());
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let (answers, encryption) = (Arc::clone(&answers), encryption.clone());
            // Until the client goes.
            let serve = move || welcome(socket, encryption, &answers);
            thread::Builder::new().stack_size(STACK).spawn(serve).expect("a thread");
        }
    });
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn encryption() -> Result<Arc<ServerConfig>, Failure> {
    let certificates = CertificateDer::pem_slice_iter(CERTIFICATE).collect::<Result<_, _>>()?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, PrivateKeyDer::from_pem_slice(KEY)?)?;
    Ok(Arc::new(config))
}

fn welcome(
    socket: TcpStream,
    encryption: Option<Arc<ServerConfig>>,
    answers: &Answers,
) -> io::Result<()> {
    socket.set_nodelay(true)?;
    match encryption {
        None => answer(socket, answers),
        Some(config) => {
            let connection = ServerConnection::new(config).map_err(io::Error::other)?;
            answer(StreamOwned::new(connection, socket), answers)
        }
    }
}

fn answer(mut stream: impl Read + Write, answers: &Answers) -> io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(request) = Request::read(&mut stream, &mut buffer)? {
        match request.manner {
            Manner::Soon => thread::sleep(SOON),
            Manner::Late => thread::sleep(DELAY),
            Manner::Open => {
                stream.write_all(&answers.beginning)?;
                stream.flush()?;
                continue;
            }
            Manner::AtOnce | Manner::Packets => {}
        }
        if request.stream {
            let streams = &answers.streams[usize::from(request.usage)];
            let writes =
                if request.manner == Manner::Packets { &streams.packets } else { &streams.large };
            for bytes in writes {
                stream.write_all(bytes)?;
                stream.flush()?;
            }
        } else {
            stream.write_all(&answers.whole)?;
            stream.flush()?;
        }
    }
    Ok(())
}
