//! Advice about AWS's exceptions.

use super::failure::Failure;

/// Returns the advice for a failure, by the name of the exception and a phrase in its message. The
/// names and messages are on AWS's pages "Troubleshooting Amazon Bedrock API Error Codes" and
/// "Troubleshoot Signature Version 4 signing for AWS API requests".
pub(super) fn advice(failure: &Failure) -> Option<&'static str> {
    let code = failure.code.as_deref()?;
    let message = failure.message.to_lowercase();
    let row = ADVICE.iter().find(|(name, phrase, _)| {
        name.eq_ignore_ascii_case(code) && (phrase.is_empty() || message.contains(phrase))
    });
    row.map(|(.., advice)| *advice)
}

/// The exception, a phrase in its message in lower case, and the advice. The first match counts.
const ADVICE: &[(&str, &str, &str)] = &[
    ("InvalidSignatureException", "signature expired", CLOCK),
    ("InvalidSignatureException", "not yet current", CLOCK),
    ("InvalidSignatureException", "scoped to", SCOPE),
    ("InvalidSignatureException", "", SECRET),
    ("SignatureDoesNotMatch", "expired", CLOCK),
    ("SignatureDoesNotMatch", "not yet current", CLOCK),
    ("SignatureDoesNotMatch", "scoped to", SCOPE),
    ("SignatureDoesNotMatch", "", SECRET),
    ("ExpiredTokenException", "", "get new temporary keys with their session token"),
    ("ExpiredToken", "", "get new temporary keys with their session token"),
    (
        "UnrecognizedClientException",
        "",
        "check the access key; temporary keys also need their session token (AWS_SESSION_TOKEN)",
    ),
    (
        "AccessDeniedException",
        "access to the model",
        "request access to the model in the Bedrock console of this region",
    ),
    (
        "AccessDeniedException",
        "not authorized to perform",
        "allow the action, such as bedrock:InvokeModel, in a policy of the keys' owner",
    ),
    (
        "ValidationException",
        "model identifier is invalid",
        "check the model's id, and that the region of the base URL offers it",
    ),
    (
        "ValidationException",
        "on-demand throughput",
        "name an inference profile: the model's id after \"us.\", \"eu.\" or \"global.\"",
    ),
    (
        "ResourceNotFoundException",
        "",
        "check the model's id, and that the region of the base URL offers it",
    ),
    ("ServiceQuotaExceededException", "", "request a higher quota in Service Quotas"),
];

const CLOCK: &str = "AWS compares the time of a request with its own; set this machine's clock";
const SCOPE: &str =
    "sign for the region of the base URL: set AWS_REGION to it, or call .location(…)";
const SECRET: &str = "check that the secret access key belongs to the access key";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn each_exception_has_its_advice() {
        for (code, message, expected) in [
            (
                "InvalidSignatureException",
                "Signature expired: 20261127T100000Z is now earlier than 20261127T104500Z",
                Some("set this machine's clock"),
            ),
            (
                "InvalidSignatureException",
                "Signature not yet current: 20261127T110000Z is still later than 20261127T104500Z",
                Some("set this machine's clock"),
            ),
            (
                "InvalidSignatureException",
                "Credential should be scoped to a valid region.",
                Some("set AWS_REGION"),
            ),
            (
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided.",
                Some("the secret access key"),
            ),
            (
                "ExpiredTokenException",
                "The security token included in the request is expired",
                Some("new temporary keys"),
            ),
            (
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
                Some("AWS_SESSION_TOKEN"),
            ),
            (
                "AccessDeniedException",
                "You don't have access to the model with the specified model ID.",
                Some("Bedrock console"),
            ),
            (
                "ValidationException",
                "Invocation of model ID x with on-demand throughput isn\u{2019}t supported.",
                Some("inference profile"),
            ),
            (
                "validationException",
                "The provided model identifier is invalid.",
                Some("the region"),
            ),
            ("ValidationException", "messages: at least one message is required", None),
            ("ThrottlingException", "Too many requests", None),
        ] {
            let failure = Failure {
                kind: ErrorKind::Server,
                code: Some(code.to_owned()),
                message: message.to_owned(),
                wait: None,
            };
            let advice = advice(&failure);
            assert_eq!(advice.is_some(), expected.is_some(), "{message}");
            assert!(advice.is_none_or(|it| it.contains(expected.unwrap_or_default())), "{message}");
        }
    }
}
