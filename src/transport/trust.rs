//! Which certificates a connection trusts: those of its settings, otherwise of the files that the
//! environment names, otherwise of the crate's features.

use std::fs;
use std::path::Path;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use crate::config::{RootFiles, Tls};
use crate::error::{Error, ErrorKind};

/// What a connection trusts.
pub(super) struct Trust {
    pub(super) config: TlsConfig,
    /// The same in words, for an error.
    pub(super) whom: String,
}

/// Applies the settings, or reads the files if there are none.
///
/// # Errors
///
/// [`Configuration`](ErrorKind::Configuration) if the certificates cannot be used. The error names
/// where they come from.
pub(super) fn trust(set: Option<&Tls>, files: &RootFiles) -> Result<Trust, Error> {
    let builder = TlsConfig::builder();
    let with_roots = |certificates: Vec<Certificate<'static>>, whom: String| {
        let provider =
            if cfg!(feature = "rustls") { TlsProvider::Rustls } else { TlsProvider::NativeTls };
        let roots = RootCerts::new_with_certs(&certificates);
        let config = TlsConfig::builder().provider(provider).root_certs(roots).build();
        Ok(Trust { config, whom })
    };
    if set.is_none() && !files.is_empty() {
        let (certificates, whom) = read(files)?;
        return with_roots(certificates, whom);
    }
    let default = Tls::default();
    let (builder, whom) = match set.unwrap_or(&default) {
        #[cfg(feature = "rustls")]
        Tls::Bundled => (
            builder.provider(TlsProvider::Rustls).root_certs(RootCerts::WebPki),
            "Mozilla's root certificates, compiled in",
        ),
        #[cfg(feature = "platform-verifier")]
        Tls::Platform => (
            builder.provider(TlsProvider::Rustls).root_certs(RootCerts::PlatformVerifier),
            "the operating system's root certificates",
        ),
        #[cfg(feature = "native-tls")]
        Tls::Native => (
            builder.provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier),
            "the operating system's root certificates",
        ),
        Tls::Roots(pem) => {
            let whom = "the root certificates of .tls(Tls::Roots(…))";
            let certificates = parsed(pem, whom)?;
            if certificates.is_empty() {
                return Err(unusable(format!("{whom} contain no certificate; {EXPECTED}")));
            }
            return with_roots(certificates, whom.to_owned());
        }
    };
    Ok(Trust { config: builder.build(), whom: whom.to_owned() })
}

const EXPECTED: &str = "expected PEM with \"BEGIN CERTIFICATE\"";

fn unusable(message: String) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

/// All certificates in the files, and where they come from.
fn read(files: &RootFiles) -> Result<(Vec<Certificate<'static>>, String), Error> {
    let (mut certificates, mut sources) = (Vec::new(), Vec::new());
    if let Some(path) = &files.file {
        let source = format!("SSL_CERT_FILE ({})", path.display());
        let whom = format!("the root certificates in {source}");
        let pem = fs::read(path).map_err(|cause| {
            unusable(format!(
                "cannot read {whom}: {cause}; set the variable to a PEM file, or unset it"
            ))
            .with_source(cause)
        })?;
        let found = parsed(&pem, &whom)?;
        if found.is_empty() {
            return Err(unusable(format!("{whom} contain no certificate; {EXPECTED}")));
        }
        certificates.extend(found);
        sources.push(source);
    }
    if !files.folders.is_empty() {
        let names: Vec<_> = files.folders.iter().map(|path| path.display().to_string()).collect();
        let source = format!("SSL_CERT_DIR ({})", names.join(", "));
        let found = in_folders(files);
        if found.is_empty() && certificates.is_empty() {
            return Err(unusable(format!(
                "no root certificates in {source}: none of its files can be read as PEM with \
                 \"BEGIN CERTIFICATE\"; set the variable to a folder of such files, or unset it"
            )));
        }
        certificates.extend(found);
        sources.push(source);
    }
    Ok((certificates, format!("the root certificates in {}", sources.join(" and "))))
}

/// The certificates in all files of the folders. Like OpenSSL, it skips files it cannot read: such
/// a folder also contains links, revocation lists and other files.
fn in_folders(files: &RootFiles) -> Vec<Certificate<'static>> {
    let mut found: Vec<Certificate<'static>> = Vec::new();
    let entries = files.folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths.iter().filter(|path| Path::is_file(path)) {
        let Ok(pem) = fs::read(path) else { continue };
        for certificate in parsed(&pem, "").unwrap_or_default() {
            // OpenSSL finds a certificate through a link to it, named by a hash.
            if !found.iter().any(|known| known.der() == certificate.der()) {
                found.push(certificate);
            }
        }
    }
    found
}

/// The PEM certificates from a source, which may be none.
fn parsed(pem: &[u8], source: &str) -> Result<Vec<Certificate<'static>>, Error> {
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        let item = item.map_err(|cause| {
            unusable(format!("{source} are not valid PEM: {cause}")).with_source(cause)
        })?;
        if let PemItem::Certificate(certificate) = item {
            // rustls skips certificates it cannot read, and would then trust nobody.
            if !is_whole(certificate.der()) {
                return Err(unusable(format!(
                    "{source} contain an entry that is incomplete or not a certificate; replace the file"
                )));
            }
            certificates.push(certificate);
        }
    }
    Ok(certificates)
}

/// Whether this is one DER sequence from its first byte to its last, as every certificate is (RFC
/// 5280 section 4.1, X.690 section 8.1).
fn is_whole(der: &[u8]) -> bool {
    let length = match der {
        [0x30, length @ 0..=0x7f, ..] => Some((2, usize::from(*length))),
        [0x30, 0x81, length, ..] => Some((3, usize::from(*length))),
        [0x30, 0x82, high, low, ..] => Some((4, usize::from(u16::from_be_bytes([*high, *low])))),
        _ => None,
    };
    length.is_some_and(|(head, length)| der.len() == head + length)
}

/// What to do about a failed handshake, if its reason is known. `whom` is what the client trusts.
///
/// rustls, OpenSSL, macOS and Windows word their reasons differently, and ureq exports no type for
/// any of them, so this compares their text.
pub(super) fn advice(reason: &str, whom: &str) -> Option<String> {
    let reason = reason.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    Some(if says(PLAIN) {
        "the server answered without TLS; should the base URL start with http://?".to_owned()
    } else if says(EXPIRED) {
        "the certificate has expired; if this machine's clock is right, the server or the proxy \
         in between needs a new one"
            .to_owned()
    } else if says(EARLY) {
        "the certificate is not valid yet; check this machine's clock".to_owned()
    } else if says(OTHER_NAME) {
        "the certificate is for another host; check the host in the base URL, and whether a \
         company proxy or a login page answers in its place"
            .to_owned()
    } else if says(UNTRUSTED) {
        format!(
            "none of {whom} vouches for it; if a company proxy or a virus scanner inspects your \
             traffic, or the server has a certificate of its own, {}",
            match whom.contains("SSL_CERT_") {
                true => "add the root certificate that issued it to those",
                false =>
                    "set the environment variable SSL_CERT_FILE to a PEM file with the root \
                     certificate that issued it, or call .tls(Tls::Roots(…))",
            }
        )
    } else {
        return None;
    })
}

/// A response that is not a TLS record, in the words of rustls (`InvalidMessage::InvalidContentType`),
/// OpenSSL (`SSL_R_WRONG_VERSION_NUMBER`, `SSL_R_HTTP_REQUEST`), Secure Transport
/// (`errSSLRecordOverflow`) and SChannel (`SEC_E_INVALID_TOKEN`).
const PLAIN: &[&str] = &[
    "invalidcontenttype",
    "wrong version number",
    "packet length too long",
    "http request",
    "record overflow",
    "token supplied to the function is invalid",
];

/// rustls (`CertificateError`), OpenSSL (x509_txt.c), macOS (SecBase), Windows (winerror.h).
const EXPIRED: &[&str] = &["expired", "cert_e_expired"];

const EARLY: &[&str] = &["not valid yet", "notvalidyet", "not yet valid"];

const OTHER_NAME: &[&str] = &[
    "not valid for name",
    "notvalidforname",
    "hostname mismatch",
    "host name mismatch",
    "ip address mismatch",
    "does not match",
    "cn name does not match",
];

const UNTRUSTED: &[&str] = &[
    "unknownissuer",
    "unknown issuer",
    "causedasendentity",
    "self-signed",
    "self signed",
    "unable to get local issuer",
    "unable to get issuer",
    "unable to verify the first certificate",
    "not trusted",
    "untrusted",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tls_librarys_reason_for_refusing_a_certificate_has_advice() {
        let bundled = "Mozilla's root certificates, compiled in";
        for (reason, expected) in [
            ("invalid peer certificate: UnknownIssuer", "set the environment variable SSL_CERT_FI"),
            ("invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))", "SSL_CERT_FILE"),
            (
                "error:0A000086:SSL routines:tls_post_process_server_certificate:certificate \
                 verify failed:ssl/statem/statem_clnt.c:1890: (unable to get local issuer \
                 certificate)",
                "SSL_CERT_FILE",
            ),
            ("certificate verify failed: (self-signed certificate in certificate chain)", "SSL_CE"),
            ("certificate verify failed: (self signed certificate)", "call .tls(Tls::Roots"),
            ("The certificate was not trusted.", "SSL_CERT_FILE"),
            (
                "A certificate chain processed, but terminated in a root certificate which is \
                 not trusted by the trust provider. (os error -2146762487)",
                "SSL_CERT_FILE",
            ),
            (
                "invalid peer certificate: certificate expired: verification time 1 (UNIX), but \
                 certificate is not valid after 0 (1 seconds ago)",
                "has expired",
            ),
            ("invalid peer certificate: Expired", "clock"),
            ("certificate verify failed: (certificate has expired)", "has expired"),
            ("invalid peer certificate: certificate not valid yet: …", "not valid yet"),
            ("certificate verify failed: (certificate is not yet valid)", "clock"),
            (
                "invalid peer certificate: certificate not valid for name \"127.0.0.1\"; \
                 certificate is only valid for DnsName(\"localhost\")",
                "is for another host",
            ),
            ("invalid peer certificate: NotValidForName", "is for another host"),
            ("certificate verify failed: (hostname mismatch)", "is for another host"),
            ("certificate verify failed: (IP address mismatch)", "check the host in the base URL"),
            ("The certificate's CN name does not match the passed value.", "another host"),
            ("received corrupt message of type InvalidContentType", "start with http://?"),
            ("error:0A00010B:SSL routines:ssl3_get_record:wrong version number", "http://?"),
        ] {
            let advice = advice(reason, bundled).unwrap_or_default();
            assert!(advice.contains(expected), "{reason}: {advice}");
        }
        let own = "the root certificates in SSL_CERT_FILE (/ca.pem)";
        let text = advice("invalid peer certificate: UnknownIssuer", own).unwrap();
        assert!(text.contains("/ca.pem") && text.contains("add the root"), "{text}");
        assert_eq!(advice("received fatal alert: HandshakeFailure", bundled), None);
    }
}
