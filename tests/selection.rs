//! Selection over a frozen catalogue: what comes first, why, and what is left out.

use std::time::{Duration, SystemTime};

use tollgate::catalogue::{Catalogue, Conditions, Measured, Model, Needs, Selection};
use tollgate::route::{Capabilities, ModelStatus};
use tollgate::{
    ChatRequest, Document, Image, MaxPrice, Message, Money, Price, Prices, ReasoningEffort,
    ResponseFormat, Tool,
};

const MODELS: &str = r#"{
  "openai": {
    "gpt-nano": {
      "context_window": 400000, "max_output": 128000, "images": true, "documents": true,
      "audio": false, "video": false, "tools": true, "parallel_tools": true, "schema": true,
      "reasoning": true, "quality": 40, "released": "2025-08-07"
    },
    "gpt-mini": {
      "context_window": 128000, "max_output": 16384, "images": true, "documents": true,
      "audio": false, "video": false, "tools": true, "parallel_tools": true, "schema": true,
      "reasoning": false, "quality": 45, "released": "2024-07-18"
    },
    "gpt-large": {
      "context_window": 400000, "max_output": 128000, "images": true, "documents": true,
      "audio": false, "video": false, "tools": true, "parallel_tools": true, "schema": true,
      "reasoning": true, "quality": 80
    },
    "gpt-next": {
      "context_window": 400000, "max_output": 128000, "images": true, "tools": true,
      "status": "preview"
    },
    "gpt-old": {
      "context_window": 16000, "max_output": 4096, "tools": true, "status": "deprecated"
    },
    "gpt-dead": { "context_window": 16000, "max_output": 4096, "retires": "2026-10-23" },
    "gpt-embed": { "context_window": 8000, "api": "embeddings" }
  },
  "anthropic": {
    "claude-small": {
      "context_window": 200000, "max_output": 64000, "images": true, "documents": true,
      "tools": true, "parallel_tools": true, "reasoning": true, "quality": 50
    },
    "claude-large": {
      "context_window": 1000000, "max_output": 64000, "images": true, "documents": true,
      "tools": true, "parallel_tools": true, "schema": true, "reasoning": true, "quality": 85
    }
  },
  "gemini": {
    "gemini-flash": {
      "context_window": 1000000, "max_output": 64000, "images": true, "documents": true,
      "audio": true, "video": true, "tools": true, "schema": true, "reasoning": true,
      "quality": 55
    }
  },
  "groq": {
    "llama-small": {
      "context_window": 131072, "max_output": 32768, "images": false, "documents": false,
      "audio": false, "video": false, "tools": true, "schema": false, "reasoning": false
    },
    "llama-guard": { "context_window": 131072, "max_output": 1024, "tools": false }
  },
  "mistral": {
    "mistral-tiny": {
      "context_window": 32000, "max_output": 8000, "images": false, "tools": true,
      "schema": true, "quality": 30, "regions": ["eu-west-3"]
    }
  },
  "bedrock": {
    "claude-small": {
      "context_window": 200000, "max_output": 64000, "images": true, "tools": true,
      "quality": 50, "regions": ["eu-central-1", "us-east-1"]
    }
  },
  "vllm": { "our-7b": { "context_window": 32000, "max_output": 8000, "tools": true } },
  "azure": { "gpt-mini": { "context_window": 128000, "max_output": 16384, "tools": true } }
}"#;

const PRICES: &str = r#"{
  "openai": {
    "gpt-nano": { "input": 0.05, "output": 0.40 },
    "gpt-mini": { "input": 0.15, "output": 0.60 },
    "gpt-large": { "input": 2.50, "output": 10 },
    "gpt-next": { "input": 0.01, "output": 0.02 },
    "gpt-old": { "input": 0.01, "output": 0.01 },
    "gpt-dead": { "input": 0.01, "output": 0.01 }
  },
  "anthropic": {
    "claude-small": { "input": 0.10, "output": 0.50 },
    "claude-large": { "input": 3, "output": 15 }
  },
  "google": { "gemini-flash": {
    "input": 0.10, "output": 0.40, "above": { "200000": { "input": 0.20, "output": 0.80 } }
  } },
  "groq": {
    "llama-small": { "input": 0.05, "output": 0.08 },
    "llama-guard": { "input": 0.01, "output": 0.01 }
  },
  "mistral": { "mistral-tiny": { "input": 0.04, "output": 0.04 } },
  "aws": { "claude-small": { "input": 0.11, "output": 0.55 } },
  "azure": { "gpt-mini": { "input": 0.02, "output": 0.02 } }
}"#;

fn catalogue() -> Catalogue {
    Catalogue::empty().parse(MODELS).unwrap()
}

/// On 2026-11-27.
fn conditions() -> Conditions {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(20_784 * 86_400);
    Conditions::default().prices(Prices::empty().parse(PRICES).unwrap()).at(at)
}

fn select(needs: &Needs) -> Selection {
    catalogue().select(needs, &conditions())
}

fn needs() -> Needs {
    Needs::new()
}

fn dollars(text: &str) -> Money {
    text.parse().unwrap()
}

fn tool() -> Tool {
    Tool::function("f", "d", serde_json::json!({"type": "object"}))
}

/// The names in order.
fn names(selection: &Selection) -> Vec<String> {
    selection.ranked.iter().map(|one| one.name()).collect()
}

/// Why a model is left out.
fn why<'a>(selection: &'a Selection, name: &str) -> &'a str {
    let found = selection.left_out.iter().find(|one| one.name == name);
    found.map(|one| one.why.as_str()).unwrap_or_else(|| panic!("{name} is not left out"))
}

#[test]
fn the_first_choice_meets_the_needs_and_says_why() {
    let request = |request: ChatRequest| Needs::of(&request);
    let image = || Message::user("What is this?").with(Image::from_bytes("image/png", b"\x89PNG"));
    let pdf = || Message::user("Read it.").with(Document::from_bytes("application/pdf", b"%PDF-"));
    let sound = || Message::user("Listen.").with(Document::from_bytes("audio/wav", b"RIFF"));
    let schema = || ResponseFormat::json_schema("n", serde_json::json!({"type": "object"}));
    let most = |input: &str| MaxPrice::of_input(dollars(input));
    let mut wrong = Vec::new();
    let long = |bytes: usize| ChatRequest::from("x".repeat(bytes));
    for (needs, first, reason) in [
        // Price.
        (needs(), "mistral/mistral-tiny", "$0.052 for 1,000 such calls (1000 tokens of prompt"),
        (needs().answer_tokens(0), "mistral/mistral-tiny", "$0.04 for 1,000 such calls"),
        (needs().answer_tokens(5_000), "mistral/mistral-tiny", "5000 of answer"),
        (request("hi".into()), "mistral/mistral-tiny", "(1 tokens of prompt, 300 of answer)"),
        (
            request(ChatRequest::from("hi").max_output_tokens(10)),
            "mistral/mistral-tiny",
            "10 of answer",
        ),
        (
            needs().providers(["openai", "anthropic"]),
            "openai/gpt-nano",
            "$0.17 for 1,000 such calls",
        ),
        (
            needs().providers(["openai", "anthropic"]).prompt_tokens(100_000).answer_tokens(100),
            "openai/gpt-nano",
            "$5.00 for 1,000",
        ),
        (needs().max_price(most("0.04")), "mistral/mistral-tiny", "$0.052"),
        (
            needs().max_price(MaxPrice::of_output(dollars("0.02"))),
            "openai/gpt-next",
            "it is a preview",
        ),
        // Abilities.
        (needs().images(true), "openai/gpt-nano", "$0.17"),
        (request(image().into()), "gemini/gemini-flash", "quality 55"),
        (needs().documents(true), "openai/gpt-nano", "quality 40"),
        (request(pdf().into()), "gemini/gemini-flash", "$0.12"),
        (needs().audio(true), "gemini/gemini-flash", "$0.22"),
        (request(sound().into()), "gemini/gemini-flash", "quality 55"),
        (needs().video(true), "gemini/gemini-flash", "$0.22"),
        (needs().tools(true), "mistral/mistral-tiny", "$0.052"),
        (request(ChatRequest::from("hi").tool(tool())), "mistral/mistral-tiny", "300 of answer"),
        (needs().parallel_tools(true), "openai/gpt-nano", "$0.17"),
        (needs().schema(true), "mistral/mistral-tiny", "$0.052"),
        (
            request(ChatRequest::from("hi").response_format(schema())),
            "mistral/mistral-tiny",
            "quality 30",
        ),
        (needs().schema(true).images(true), "openai/gpt-nano", "$0.17"),
        (needs().reasoning(true), "openai/gpt-nano", "$0.17"),
        (
            request(ChatRequest::from("hi").reasoning_effort(ReasoningEffort::Low)),
            "gemini/gemini-flash",
            "context window 1000000",
        ),
        // Size.
        (needs().context(100_000), "groq/llama-small", "context window 131072"),
        (needs().context(200_000), "openai/gpt-nano", "context window 400000"),
        (needs().context(500_000), "gemini/gemini-flash", "context window 1000000"),
        (needs().prompt_tokens(50_000), "groq/llama-small", "50000 tokens of prompt"),
        (needs().prompt_tokens(390_000), "openai/gpt-nano", "390000 tokens of prompt"),
        (needs().prompt_tokens(399_900), "gemini/gemini-flash", "399900 tokens of prompt"),
        (request(long(300_000)), "groq/llama-small", "(75000 tokens of prompt, 300 of answer)"),
        (request(long(480_000)), "openai/gpt-nano", "120000 tokens of prompt"),
        (needs().max_output(20_000), "groq/llama-small", "$0.074"),
        (needs().max_output(100_000), "openai/gpt-nano", "$0.17"),
        // Quality.
        (needs().quality(40.0), "openai/gpt-nano", "quality 40"),
        (needs().quality(50.0), "gemini/gemini-flash", "quality 55"),
        (needs().quality(56.0), "openai/gpt-large", "quality 80"),
        (needs().quality(81.0), "anthropic/claude-large", "quality 85"),
        // Regions, providers and models.
        (needs().regions(["eu"]), "mistral/mistral-tiny", "$0.052"),
        (needs().regions(["eu"]).images(true), "bedrock/claude-small", "$0.28"),
        (needs().regions(["us"]), "bedrock/claude-small", "$0.28"),
        (needs().providers(["AWS-bedrock"]), "bedrock/claude-small", "quality 50"),
        (needs().models(["claude-small"]), "anthropic/claude-small", "$0.25"),
        (needs().models(["bedrock/claude-small"]), "bedrock/claude-small", "$0.28"),
        (needs().models(["llama-guard"]), "groq/llama-guard", "$0.013"),
        (needs().providers(["azure"]), "azure/gpt-mini", "$0.026"),
        (needs().providers(["vllm"]), "vllm/our-7b", "its price is unknown"),
    ] {
        let selection = select(&needs);
        let best = selection.best().unwrap_or_else(|| panic!("nothing for {needs:?}"));
        let (name, reasons) = (best.name(), best.reasons.join("; "));
        if name != first || !reasons.contains(reason) {
            wrong.push(format!("{needs:?}: expected {first} ({reason})\n{selection}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_left_out_says_why() {
    let all = select(&needs().images(true).reasoning(true).max_output(20_000));
    for (name, reason) in [
        ("openai/gpt-dead", "it was retired on 2026-10-23"),
        ("openai/gpt-embed", "it does not chat"),
        ("openai/gpt-mini", "it does not support a reasoning effort"),
        ("openai/gpt-next", "the catalogue does not say whether it supports a reasoning effort"),
        ("openai/gpt-old", "the catalogue does not say whether it supports images"),
        ("groq/llama-small", "it does not support images"),
        ("groq/llama-guard", "it is for judging content; name it with Needs::models"),
        ("azure/gpt-mini", "its name is that of a deployment in your account"),
    ] {
        assert!(why(&all, name).starts_with(reason), "{name}: {}", why(&all, name));
    }
    for (needs, name, reason) in [
        (
            needs().context(500_000),
            "openai/gpt-nano",
            "its context window holds 400000 tokens, and the call needs 500000",
        ),
        (
            needs().max_output(20_000),
            "openai/gpt-mini",
            "it writes at most 16384 tokens, and the call allows 20000",
        ),
        (
            needs().max_price(MaxPrice::of_input(dollars("0.04"))),
            "openai/gpt-nano",
            "it costs $0.05 per million input tokens, more than $0.04",
        ),
        (
            needs().max_price(MaxPrice::of_input(dollars("9"))),
            "vllm/our-7b",
            "its price is unknown; set it with Prices::set",
        ),
        (needs().quality(41.0), "openai/gpt-nano", "its quality is 40, and 41 is wanted"),
        (
            needs().quality(1.0),
            "groq/llama-small",
            "the catalogue does not say whether it supports the quality that is wanted",
        ),
        (needs().regions(["us"]), "mistral/mistral-tiny", "it is served in another region"),
        (needs().regions(["us"]), "openai/gpt-nano", "the catalogue does not say"),
        (needs().models(["gpt-9"]), "gpt-9", "no provider that can be called has a model"),
        (needs().providers(["acme"]), "acme", "the catalogue has no models of this provider"),
    ] {
        let selection = select(&needs);
        assert!(why(&selection, name).starts_with(reason), "{}", why(&selection, name));
        assert!(names(&selection).iter().all(|ranked| ranked != name));
    }
    let nothing = select(&needs().video(true).quality(99.0));
    assert!(
        nothing.best().is_none() && nothing.to_string().starts_with("no model meets the needs")
    );
}

#[test]
fn previews_rank_behind_models_in_service_and_deprecated_ones_behind_previews() {
    let selection = select(&needs().providers(["openai"]));
    let expected = ["gpt-nano", "gpt-mini", "gpt-large", "gpt-next", "gpt-old"];
    assert_eq!(names(&selection), expected.map(|name| format!("openai/{name}")));
    assert!(selection.ranked[4].reasons.iter().any(|reason| reason.contains("is deprecated")));
}

#[test]
fn a_model_whose_window_may_be_too_small_ranks_behind_those_with_room() {
    // 100,000 tokens of English, and up to 133,333 of denser text.
    let selection = select(&Needs::of(&ChatRequest::from("x".repeat(400_000))));
    assert_eq!(names(&selection)[0], "openai/gpt-nano");
    let last = selection.ranked.iter().find(|one| one.name() == "groq/llama-small").unwrap();
    assert!(last.reasons.last().unwrap().starts_with("the prompt may be too long for its window"));
    assert!(names(&selection).iter().all(|name| name != "mistral/mistral-tiny"));
}

#[test]
fn only_providers_that_can_be_called_are_considered() {
    let only = conditions().providers(["openai", "groq"]);
    let selection = catalogue().select(&needs(), &only);
    assert_eq!(names(&selection)[0], "groq/llama-small");
    let without: Vec<_> = selection.unreachable.iter().map(|one| one.as_str()).collect();
    assert_eq!(without, ["anthropic", "azure", "bedrock", "gemini", "mistral", "vllm"]);
    assert!(selection.to_string().contains("without a key: anthropic, azure, bedrock"));
    let any = catalogue().select(&needs().any_provider(), &only);
    assert_eq!(names(&any)[0], "mistral/mistral-tiny");
    let unreachable = catalogue().select(&needs().providers(["mistral"]), &only);
    assert!(unreachable.ranked.is_empty());
    assert_eq!(unreachable.unreachable.len(), 1);
}

#[test]
fn measurements_decide_among_models_of_equal_cost() {
    let needs = needs().tools(true).models(["claude-small", "gemini-flash", "gpt-nano"]);
    let (model, slow, fast) = (
        |provider: &str| {
            Model::new(provider.to_owned(), "m")
                .capabilities(Capabilities::default().context_window(9_000).tools(true))
        },
        Measured::default().latency(Duration::from_secs(2)),
        Measured::default().latency(Duration::from_secs(1)),
    );
    let two = Catalogue::empty().set(model("a")).set(model("b"));
    let price = || Price::per_million(Money::dollars(1), Money::dollars(2));
    let prices = Prices::empty().set("a", "m", price()).set("b", "m", price());
    let order = |conditions: Conditions| {
        let needs = Needs::new().tools(true).max_latency(Duration::from_millis(1_500));
        names(&two.select(&needs, &conditions.prices(prices.clone())))
    };
    assert_eq!(order(conditions()), ["a/m", "b/m"]);
    assert_eq!(order(conditions().measured("a", "m", fast)), ["b/m", "a/m"]);
    assert_eq!(order(conditions().measured("a", "m", slow)), ["b/m"]);
    let resting = Measured::default().rests(true);
    assert_eq!(order(conditions().measured("a", "m", resting)), ["b/m", "a/m"]);
    // Without a measurement of its own, a model is taken to write as much as the others.
    let wordy = Measured::default().answer_tokens(3_000.0);
    assert_eq!(order(conditions().measured("a", "m", wordy)), ["a/m", "b/m"]);
    let terse = Measured::default().answer_tokens(2_000.0);
    let both = conditions().measured("a", "m", wordy).measured("b", "m", terse);
    assert_eq!(order(both), ["b/m", "a/m"]);
    let cached = Measured::default().cached_share(0.5);
    assert_eq!(order(conditions().measured("b", "m", cached)), ["a/m", "b/m"], "as input");

    let wordy = conditions()
        .measured("openai", "gpt-nano", Measured::default().answer_tokens(2_000.0))
        .measured("gemini", "gemini-flash", Measured::default().answer_tokens(100.0));
    let best = catalogue().select(&needs, &wordy);
    assert_eq!(names(&best)[0], "gemini/gemini-flash");
    assert!(best.best().unwrap().reasons.iter().all(|reason| !reason.contains("latency")));
}

#[test]
fn among_otherwise_equal_models_a_cheaper_or_larger_one_never_ranks_lower() {
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..500 {
        let window = 1_000 + random.u64(..1_000_000);
        let (input, output) = (random.i64(..5_000), random.i64(..20_000));
        let quality = random.bool().then(|| f64::from(random.u8(..=100)));
        let status =
            [ModelStatus::Active, ModelStatus::Preview, ModelStatus::Deprecated][random.usize(..3)];
        let model = |id: &str, window: u64| {
            let model = Model::new("acme", id.to_owned());
            let can = Capabilities::default().context_window(window).tools(true).status(status);
            let model = model.capabilities(can);
            quality.map_or(model.clone(), |quality| model.quality(quality))
        };
        let price = |input: i64, output: i64| {
            let tenths = |amount: i64| Money::picos(i128::from(amount) * 100_000_000);
            Price::per_million(tenths(input), tenths(output))
        };
        // The better one has the name that comes last.
        let (less, more) = (random.i64(..=input), random.u64(..500_000));
        for (better, better_price) in [
            (model("z", window), price(less, output)),
            (model("z", window), price(input, random.i64(..=output))),
            (model("z", window + more), price(input, output)),
            (model("z", window + more), price(less, output)),
        ] {
            let prices = Prices::empty().set("acme", "a", price(input, output)).set(
                "acme",
                "z",
                better_price.clone(),
            );
            let catalogue = Catalogue::empty().set(model("a", window)).set(better);
            let needs = Needs::new()
                .tools(true)
                .prompt_tokens(random.u64(..=window / 2))
                .answer_tokens(1 + random.u64(..window / 3));
            let found = catalogue.select(&needs, &conditions().prices(prices));
            assert_eq!(found.ranked.len(), 2, "{found}");
            let [first, second] = [&found.ranked[0], &found.ranked[1]];
            let is_same =
                first.cost == second.cost && first.model.capabilities == second.model.capabilities;
            assert!(is_same || first.name() == "acme/z", "round {round}: {found}");
        }
    }
}

#[test]
fn the_same_arguments_give_the_same_ranking() {
    let order = |backwards: bool| {
        let mut models: Vec<Model> = catalogue()
            .providers()
            .flat_map(|provider| catalogue().models(provider).collect::<Vec<_>>())
            .collect();
        if backwards {
            models.reverse();
        }
        let catalogue = models.into_iter().fold(Catalogue::empty(), Catalogue::set);
        catalogue.select(&needs().tools(true), &conditions())
    };
    assert_eq!(order(false), order(true));
    let builtin = || Catalogue::builtin().select(&needs().tools(true), &conditions());
    assert_eq!(builtin(), builtin());
}

#[test]
fn a_selection_of_the_whole_table_names_no_model_twice_and_no_retired_one() {
    let catalogue = Catalogue::builtin();
    let conditions = Conditions::default();
    let selection = catalogue.select(&needs(), &conditions);
    let mut all = names(&selection);
    all.extend(selection.left_out.iter().map(|one| one.name.clone()));
    let count = all.len();
    assert!(count > 3_000, "{count}");
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
    for one in &selection.ranked {
        assert_ne!(one.model.status(SystemTime::now()), Some(ModelStatus::Retired));
    }
}
