//! Vendors that speak Anthropic's Messages.

use super::Row;
use crate::provider::{Auth, BatchFormat, BatchProfile, ModelNames};
use crate::wire::anthropic::VERSION;
use crate::wire::openai_chat::{Dialect, ReasoningControl};

pub(super) static ROWS: &[Row] = &[
    Row::anthropic("anthropic", &["claude"], "https://api.anthropic.com", |profile| {
        profile
            .model_names(ModelNames::Plain)
            // "up to 100,000 requests and up to 256 MB", half the price
            // (platform.claude.com/docs/en/build-with-claude/batch-processing).
            .batches(BatchProfile::new(BatchFormat::Anthropic, 100_000, 256_000_000))
            .docs("https://platform.claude.com/docs/en/api/overview")
            .base_url_variables(["ANTHROPIC_API_BASE"])
            .key_variables(["ANTHROPIC_API_KEY"])
            .auth(Auth::header("x-api-key"))
            .header("anthropic-version", VERSION)
    }),
    // `output_config.effort`; budgets are ignored (the same page).
    Row::anthropic("deepseek-anthropic", &[], "https://api.deepseek.com/anthropic", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .docs("https://api-docs.deepseek.com/guides/anthropic_api")
            .key_variables(["DEEPSEEK_API_KEY"])
            .auth(Auth::header("x-api-key"))
            .prices("deepseek")
            .header("anthropic-version", VERSION)
            .dialect(Dialect {
                reasoning_control: ReasoningControl::OutputConfig,
                ..Dialect::OPENAI
            })
    }),
    // `thinking.type` is `adaptive` or `disabled` (the same page).
    Row::anthropic("minimax-anthropic", &[], "https://api.minimax.io/anthropic", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .docs("https://platform.minimax.io/docs/api-reference/text-anthropic-api")
            .key_variables(["MINIMAX_API_KEY"])
            .auth(Auth::header("x-api-key"))
            .prices("minimax")
            .header("anthropic-version", VERSION)
            .dialect(Dialect {
                reasoning_control: ReasoningControl::AdaptiveThinking,
                ..Dialect::OPENAI
            })
    }),
    // `output_config.effort` (guide "Use Thinking Effort").
    Row::anthropic(
        "moonshot-anthropic",
        &["kimi-anthropic"],
        "https://api.moonshot.ai/anthropic",
        |profile| {
            profile
                .model_names(ModelNames::Plain)
                .docs("https://platform.kimi.ai/docs/api/overview")
                .key_variables(["MOONSHOT_API_KEY", "MOONSHOTAI_API_KEY", "KIMI_API_KEY"])
                .prices("moonshotai")
                .header("anthropic-version", VERSION)
                .dialect(Dialect {
                    reasoning_control: ReasoningControl::OutputConfig,
                    ..Dialect::OPENAI
                })
        },
    ),
    Row::anthropic(
        "zai-anthropic",
        &["z-ai-anthropic"],
        "https://api.z.ai/api/anthropic",
        |profile| {
            profile
                .model_names(ModelNames::Plain)
                .docs("https://docs.z.ai/devpack/tool/claude")
                .key_variables(["ZAI_API_KEY", "ZHIPU_API_KEY", "BIGMODEL_API_KEY"])
                .auth(Auth::header("x-api-key"))
                .prices("zai")
                .header("anthropic-version", VERSION)
        },
    ),
];
