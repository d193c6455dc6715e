//! What to check of each server.

use std::path::Path;
use std::process::Command;

use tollgate::chat::Format;

use crate::arguments::Arguments;
use crate::report::{Known, Report};
use crate::servers::{Server, node, path};
use crate::{answers, batches, mocked, requests};

const FIXTURES: &str = include_str!("../fixtures.json");
const LITELLM: &str = include_str!("../litellm.yaml");
const PRUNE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/prune.mjs");

/// Starts each server, checks it, and prints a table. Returns how many cases failed.
pub(crate) fn run(names: &[String]) -> Result<usize, String> {
    let mut rows = Vec::new();
    for name in names {
        match name.as_str() {
            "prism" => prism(&mut rows)?,
            "aimock" => aimock(&mut rows)?,
            "litellm" => litellm(&mut rows)?,
            "llamacpp" => llamacpp(&mut rows)?,
            other => return Err(format!("no server is called {other:?}")),
        }
    }
    println!(
        "\n| server | what was tried | accepted | refused by tollgate | known fault of the server | rejected |"
    );
    println!("|---|---|---|---|---|---|");
    for (server, tried, report) in &rows {
        let Report { accepted, refused, excused, rejected, .. } = report;
        println!("| {server} | {tried} | {accepted} | {refused} | {excused} | {rejected} |");
    }
    Ok(rows.iter().map(|(.., report)| report.rejected).sum())
}

type Rows = Vec<(&'static str, String, Report)>;

type Check = fn(&Arguments, &mut Report) -> Result<(), String>;

fn add(
    rows: &mut Rows,
    server: &'static str,
    tried: &str,
    known: &'static [Known],
    check: Check,
    arguments: &Arguments,
) -> Result<(), String> {
    println!("\n== {server}: {tried}");
    let mut report = Report::new(None, known);
    check(arguments, &mut report)?;
    println!("{}", report.summary());
    rows.push((server, tried.to_owned(), report));
    Ok(())
}

fn prism(rows: &mut Rows) -> Result<(), String> {
    const STRICT: Known = (
        "chat: a tool without strict",
        "the file requires `strict`, which its own example \"Functions\" lacks",
    );
    // ollama/ollama, api/types.go, `Message` and `ToolCall`, has both.
    const ID: &str = "the file lacks `id` in calls, which Ollama reads";
    const THINKING: &str = "the file lacks `thinking` in messages, which Ollama reads";
    const OLLAMA: [Known; 6] = [
        ("chat: a tool's result", ID),
        ("chat: results of two calls", ID),
        ("chat: a tool's failure", ID),
        ("chat: an image as a tool's result", ID),
        ("chat: reasoning sent back", THINKING),
        ("chat: reasoning and a call sent back", ID),
    ];
    let program = path("TOLLGATE_PRISM", "the folder where npm installed Prism")?;
    let files = path("TOLLGATE_OPENAPI", "the folder of the providers' OpenAPI files")?;
    let openai = ["/chat/completions", "/responses", "/completions", "/embeddings"];
    let server = checking(&program, &files.join("openai.yaml"), &openai)?;
    let mut arguments = Arguments::new("openai", &server.url);
    add(rows, "Prism, OpenAI's file", "Chat Completions", &[], requests::run, &arguments)?;
    arguments.format = Some(Format::OpenAiResponses);
    add(rows, "Prism, OpenAI's file", "Responses", &[STRICT], requests::run, &arguments)?;
    let openai = ["/files", "/batches", "/batches/{batch_id}/cancel"];
    let server = checking(&program, &files.join("openai.yaml"), &openai)?;
    let arguments = Arguments::new("openai", &server.url);
    add(rows, "Prism, OpenAI's file", "batches", &[], batches::run, &arguments)?;
    let mistral = ["/v1/files", "/v1/batch/jobs", "/v1/batch/jobs/{job_id}/cancel"];
    let server = checking(&program, &files.join("mistral.yaml"), &mistral)?;
    let arguments = Arguments::new("mistral", format!("{}/v1", server.url));
    add(rows, "Prism, Mistral's file", "batches", &[], batches::run, &arguments)?;
    for (name, file, prefix, paths, known) in [
        ("mistral", "mistral.yaml", "/v1", ["/v1/chat/completions", "/v1/embeddings"], &[][..]),
        ("cohere", "cohere.yaml", "", ["/v2/chat", "/v2/embed"], &[]),
        ("ollama", "ollama.yaml", "", ["/api/chat", "/api/embed"], &OLLAMA),
    ] {
        let server = checking(&program, &files.join(file), &paths)?;
        let arguments = Arguments::new(name, format!("{}{prefix}", server.url));
        let title = match name {
            "mistral" => "Prism, Mistral's file",
            "cohere" => "Prism, Cohere's file",
            _ => "Prism, Ollama's file",
        };
        add(rows, title, "chat and embeddings", known, requests::run, &arguments)?;
    }
    Ok(())
}

/// Prism with these paths of a file.
fn checking(program: &Path, file: &Path, paths: &[&str]) -> Result<Server, String> {
    let mut prune = Command::new("node");
    prune.arg(PRUNE).arg(file).args(paths).current_dir(program);
    let pruned = prune.output().map_err(|error| format!("{prune:?}: {error}"))?;
    let pruned = String::from_utf8(pruned.stdout).map_err(|error| error.to_string())?;
    if pruned.is_empty() {
        return Err(format!("{prune:?} prints nothing"));
    }
    let arguments =
        ["mock", "--errors", "-h", "127.0.0.1", "-p", "{port}", "{folder}/openapi.json"];
    Server::start(&mut node(program, "prism"), &arguments, &[("openapi.json", &pruned)], None)
}

fn start_aimock() -> Result<Server, String> {
    let program = path("TOLLGATE_AIMOCK", "the folder where npm installed aimock")?;
    let arguments = ["-p", "{port}", "-f", "{folder}/fixtures.json"];
    Server::start(&mut node(&program, "llmock"), &arguments, &[("fixtures.json", FIXTURES)], None)
}

fn aimock(rows: &mut Rows) -> Result<(), String> {
    const COUNT: Known = ("token count", "aimock has no such path");
    const MODELS: Known = ("models", "aimock has no such path");
    const ONE: Known = ("embeddings of 1", "aimock has no such path");
    const THREE: Known = ("embeddings of 3", "aimock has no such path");
    const THOUGHT: &str = "aimock sends the reasoning as text, Cohere as `thinking`";
    const SHAPE: &str = "aimock answers in the form of the older /api/embeddings";
    const COHERE: [Known; 2] = [("reasoning", THOUGHT), ("reasoning, streamed", THOUGHT)];
    const OLLAMA: [Known; 2] = [("embeddings of 1", SHAPE), ("embeddings of 3", SHAPE)];
    let server = start_aimock()?;
    for (tried, provider, path, model, known) in [
        ("OpenAI: Chat Completions", "openai", "/v1", "gpt-4o", &[][..]),
        ("OpenAI: Responses", "openai", "/v1", "gpt-4o", &[COUNT]),
        ("Anthropic", "anthropic", "", "claude-sonnet-4-5", &[COUNT]),
        ("Gemini", "gemini", "/v1beta", "gemini-2.5-flash", &[COUNT, MODELS, ONE, THREE]),
        ("Vertex AI", "vertex", "/v1", "gemini-2.5-flash", &[COUNT, ONE, THREE]),
        ("Cohere", "cohere", "", "command-a-03-2025", &COHERE),
        ("Ollama", "ollama", "", "llama3.2", &OLLAMA),
        ("Azure", "azure", "/openai/deployments/gpt-4o", "gpt-4o", &[MODELS]),
        ("Bedrock, with a key", "bedrock", "", "anthropic.claude-sonnet-4-5", &[COUNT]),
        ("Bedrock, signed", "bedrock", "", "anthropic.claude-sonnet-4-5", &[COUNT]),
    ] {
        let arguments = Arguments {
            model: model.to_owned(),
            embedding_model: (provider == "bedrock")
                .then(|| "amazon.titan-embed-text-v2:0".to_owned()),
            format: (tried == "OpenAI: Responses").then_some(Format::OpenAiResponses),
            scripted: true,
            faults: true,
            moderation: provider == "openai",
            signed: tried == "Bedrock, signed",
            ..Arguments::new(provider, format!("{}{path}", server.url))
        };
        add(rows, "aimock", tried, known, answers::run, &arguments)?;
    }
    Ok(())
}

fn litellm(rows: &mut Rows) -> Result<(), String> {
    let program = path("TOLLGATE_LITELLM", "LiteLLM's program `litellm`")?;
    let aimock = start_aimock()?;
    let config = LITELLM.replace("{aimock}", &aimock.url);
    let mut command = Command::new(program);
    // Without the first, LiteLLM asks the network for prices. It calls a key like ours weak.
    command.env("LITELLM_LOCAL_MODEL_COST_MAP", "True");
    command.env("LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY", "true");
    let arguments =
        ["--config", "{folder}/litellm.yaml", "--host", "127.0.0.1", "--port", "{port}"];
    let server = Server::start(&mut command, &arguments, &[("litellm.yaml", &config)], None)?;
    const CALLS: Known = ("tools, streamed", "LiteLLM's mock streams no calls");
    const ERRORS: &str = "LiteLLM's mock of Responses makes no errors, and does not stream";
    const RESPONSES: [Known; 7] = [
        ("a rate limit", ERRORS),
        ("a too long prompt", ERRORS),
        ("a failure", ERRORS),
        ("plain, streamed", ERRORS),
        ("tools, streamed", ERRORS),
        ("a rate limit, streamed", ERRORS),
        ("a too long prompt, streamed", ERRORS),
    ];
    const COUNT: Known = ("token count", "LiteLLM asks aimock, which has no such path");
    const BREAKS: Known =
        ("a stream that breaks off", "LiteLLM's mock answers whole, with the error's name as text");
    let responses = Some(Format::OpenAiResponses);
    for (tried, provider, path, format, proxied, mocked) in [
        ("Chat Completions", "litellm", "/v1", None, &[][..], &[CALLS][..]),
        ("Responses", "litellm", "/v1", responses, &[COUNT], &RESPONSES),
        ("Anthropic's Messages", "anthropic", "", None, &[COUNT], &[CALLS, BREAKS]),
    ] {
        let arguments = Arguments {
            model: "proxied".to_owned(),
            embedding_model: Some("embedding".to_owned()),
            key: "sk-1234".to_owned(),
            format,
            scripted: true,
            errors: true,
            ..Arguments::new(provider, format!("{}{path}", server.url))
        };
        add(rows, "LiteLLM, with aimock behind it", tried, proxied, answers::run, &arguments)?;
        // LiteLLM answers these itself, and counts the tokens.
        add(rows, "LiteLLM alone", tried, mocked, mocked::run, &arguments)?;
    }
    Ok(())
}

fn llamacpp(rows: &mut Rows) -> Result<(), String> {
    let program = path("TOLLGATE_LLAMA_SERVER", "llama.cpp's program `llama-server`")?;
    let model = path("TOLLGATE_LLAMA_MODEL", "a GGUF file")?;
    let mut command = Command::new(program);
    command.arg("-m").arg(model);
    let arguments = ["--host", "127.0.0.1", "--port", "{port}", "--jinja", "--embeddings"];
    let arguments = [&arguments[..], &["--pooling", "mean", "--api-key", "sk-test"]].concat();
    // It listens before the model is loaded.
    let server = Server::start(&mut command, &arguments, &[], Some("/health"))?;
    const ANY: &str = "it serves its one model under every name";
    const MODEL: [Known; 2] = [("an unknown model", ANY), ("an unknown model, streamed", ANY)];
    for (tried, provider, path, format) in [
        ("Chat Completions", "llamacpp", "/v1", None),
        ("Responses", "llamacpp", "/v1", Some(Format::OpenAiResponses)),
        ("Anthropic's Messages", "anthropic", "", None),
    ] {
        let arguments = Arguments {
            format,
            errors: true,
            ..Arguments::new(provider, format!("{}{path}", server.url))
        };
        add(rows, "llama.cpp", tried, &MODEL, answers::run, &arguments)?;
    }
    Ok(())
}
