//! Amazon Bedrock.

use super::Row;
use crate::embed::EmbeddingFormat;
use crate::provider::ModelNames;

pub(super) static ROWS: &[Row] = &[
    // The client's settings can name the region too: `config/bedrock.rs`. The key is a Bedrock API
    // key (docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html); without one, requests
    // are signed with AWS's keys. The second variable is the AWS SDKs' own (their page
    // "Service-specific endpoints"). Names such as `eu.anthropic.claude-sonnet-4-5-20250929-v1:0`
    // contain no slash, but ARNs do.
    Row::bedrock(
        "bedrock",
        &["aws", "amazon", "amazon-bedrock", "aws-bedrock"],
        "https://bedrock-runtime.{AWS_REGION|AWS_DEFAULT_REGION}.amazonaws.com",
        |profile| {
            profile
                .model_names(ModelNames::Slashes)
                .docs("https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html")
                .base_url_variables(["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"])
                .key_variables(["AWS_BEARER_TOKEN_BEDROCK"])
                .key_optional()
                .embeddings(EmbeddingFormat::Bedrock)
                .prices("aws")
        },
    ),
];
