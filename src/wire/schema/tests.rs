//! Tables of schemas and the result of completing them.

use super::*;
use serde_json::json;

fn strict_in(subset: Subset, schema: &Value) -> Result<Value, String> {
    strict(schema, subset, Purpose::Answer)
}

const BOTH: [Subset; 2] = [Subset::OpenAi, Subset::Anthropic];

#[test]
fn objects_are_closed_and_optional_members_become_nullable_and_required() {
    for (property, expected) in [
        (json!({"type": "string"}), json!({"type": ["string", "null"]})),
        (json!({"type": ["string", "null"]}), json!({"type": ["string", "null"]})),
        (json!({"type": ["string", "integer"]}), json!({"type": ["string", "integer", "null"]})),
        (
            json!({"type": "string", "enum": ["a", "b"]}),
            json!({"type": ["string", "null"], "enum": ["a", "b", null]}),
        ),
        (
            json!({"enum": ["a", 1]}),
            json!({"type": ["string", "integer", "null"], "enum": ["a", 1, null]}),
        ),
        (json!({"const": "a"}), json!({"type": ["string", "null"], "enum": ["a", null]})),
        (
            json!({"type": "array", "items": {"type": "string"}, "description": "d"}),
            json!({"description": "d", "anyOf": [
                {"type": "array", "items": {"type": "string"}}, {"type": "null"}]}),
        ),
        (
            json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}),
            json!({"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}),
        ),
        (
            json!({"anyOf": [{"$ref": "#/$defs/P"}, {"type": "null"}]}),
            json!({"anyOf": [{"$ref": "#/$defs/P"}, {"type": "null"}]}),
        ),
        (json!({"$ref": "#/$defs/P"}), json!({"anyOf": [{"$ref": "#/$defs/P"}, {"type": "null"}]})),
        (
            json!({"$ref": "#/$defs/P", "description": "d"}),
            json!({"description": "d", "anyOf": [{"$ref": "#/$defs/P"}, {"type": "null"}]}),
        ),
        // How schemars before 1.0 writes a reference with a description.
        (
            json!({"allOf": [{"$ref": "#/$defs/P"}], "description": "d"}),
            json!({"description": "d", "anyOf": [{"$ref": "#/$defs/P"}, {"type": "null"}]}),
        ),
        (json!({"type": "string", "nullable": true}), json!({"type": ["string", "null"]})),
        (
            json!({"properties": {"x": {"type": "integer"}}}),
            json!({"anyOf": [{"type": "object", "properties": {"x": {"type": ["integer", "null"]}},
                "required": ["x"], "additionalProperties": false}, {"type": "null"}]}),
        ),
    ] {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "T",
            "type": "object",
            "properties": {"needed": {"type": "string"}, "given": property},
            "required": ["needed"],
            "$defs": {"P": {"type": "object", "properties": {"y": {"type": "number"}},
                "required": ["y"]}},
        });
        for subset in [Subset::OpenAi, Subset::Anthropic] {
            let complete = strict_in(subset, &schema).unwrap();
            assert_eq!(complete["properties"]["given"], expected, "{subset:?} {property}");
            assert_eq!(complete["required"], json!(["needed", "given"]));
            assert_eq!(complete["additionalProperties"], false);
            assert_eq!(complete["$defs"]["P"]["additionalProperties"], false);
            assert_eq!(complete["properties"]["needed"], json!({"type": "string"}));
            assert_eq!(complete.get("$schema"), None);
            // Completion is idempotent.
            assert_eq!(strict_in(subset, &complete).unwrap(), complete, "{subset:?} {property}");
        }
    }
}

#[test]
fn schemas_of_derived_types_are_accepted() {
    // What schemars 1 derives for a struct with an optional and a defaulted member, numbers, a
    // list, an enumeration with documented variants, and a tagged enumeration.
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Order",
        "description": "An order.",
        "type": "object",
        "properties": {
            "id": {"type": "integer", "format": "uint32", "minimum": 0},
            "note": {"type": ["string", "null"], "minLength": 1},
            "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
            "kind": {"$ref": "#/$defs/Kind", "description": "Which kind"},
            "paid": {"type": "boolean", "default": false},
            "at": {"type": "array", "prefixItems": [
                {"type": "number", "format": "double"}, {"type": "number", "format": "double"}],
                "minItems": 2, "maxItems": 2},
        },
        "required": ["id", "lines", "kind", "at"],
        "$defs": {
            "Line": {"oneOf": [
                {"type": "object", "properties": {"type": {"type": "string", "const": "item"},
                    "count": {"type": "integer", "format": "uint8", "minimum": 0, "maximum": 255}},
                    "required": ["type", "count"]},
                {"type": "object", "properties": {"type": {"type": "string", "const": "gift"}},
                    "required": ["type"]},
            ]},
            "Kind": {"oneOf": [
                {"description": "Soon.", "type": "string", "const": "fast"},
                {"description": "Late.", "type": "string", "const": "slow"},
            ]},
        },
    });
    let complete = strict_in(Subset::OpenAi, &schema).unwrap();
    assert_eq!(
        complete["properties"],
        json!({
            "id": {"type": "integer", "minimum": 0},
            "note": {"type": ["string", "null"], "description": "(minLength: 1)"},
            "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
            "kind": {"description": "Which kind", "anyOf": [{"$ref": "#/$defs/Kind"}]},
            "paid": {"type": ["boolean", "null"], "description": "(default: false)"},
            "at": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "number"}},
        })
    );
    assert_eq!(complete["$defs"]["Kind"]["anyOf"][0]["const"], "fast");
    assert_eq!(complete["$defs"]["Line"]["anyOf"][1]["additionalProperties"], false);
    assert_eq!(complete["required"], json!(["id", "note", "lines", "kind", "paid", "at"]));

    let complete = strict_in(Subset::Anthropic, &schema).unwrap();
    assert_eq!(
        complete["properties"]["id"],
        json!({"type": "integer", "description": "(minimum: 0)"})
    );
    assert_eq!(
        complete["properties"]["at"],
        json!({"type": "array", "items": {"type": "number"},
            "description": "(minItems: 2, maxItems: 2)"})
    );
    assert_eq!(
        complete["properties"]["paid"],
        json!({"type": ["boolean", "null"], "default": false})
    );
}

#[test]
fn unsupported_limits_move_into_the_description() {
    for (subset, property, expected) in [
        (
            Subset::OpenAi,
            json!({"type": "string", "description": "A name.", "maxLength": 9, "format": "uri"}),
            json!({"type": "string", "description": "A name. (maxLength: 9, format: uri)"}),
        ),
        (
            Subset::OpenAi,
            json!({"type": "string", "format": "date", "pattern": "^2"}),
            json!({"type": "string", "format": "date", "pattern": "^2"}),
        ),
        (
            Subset::OpenAi,
            json!({"type": "string", "pattern": "^(?!x)"}),
            json!({"type": "string", "description": "(pattern: ^(?!x))"}),
        ),
        (
            Subset::OpenAi,
            json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true, "maxItems": 3}),
            json!({"type": "array", "items": {"type": "string"}, "maxItems": 3,
                "description": "(uniqueItems: true)"}),
        ),
        (
            Subset::OpenAi,
            json!({"type": "number", "minimum": 0, "x-unit": "m", "examples": [1]}),
            json!({"type": "number", "minimum": 0, "description": "(examples: [1])"}),
        ),
        (
            Subset::Anthropic,
            json!({"type": "string", "format": "uri", "pattern": "\\bx"}),
            json!({"type": "string", "format": "uri", "description": "(pattern: \\bx)"}),
        ),
        (
            Subset::Anthropic,
            json!({"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3}),
            json!({"type": "array", "items": {"type": "string"}, "minItems": 1,
                "description": "(maxItems: 3)"}),
        ),
        // A server that compiles schemas itself supports them.
        (
            Subset::Any,
            json!({"type": "string", "maxLength": 9}),
            json!({"type": "string", "maxLength": 9}),
        ),
        (
            Subset::Any,
            json!({"type": "object", "additionalProperties": {"type": "integer"}}),
            json!({"type": "object", "additionalProperties": {"type": "integer"},
                "properties": {}, "required": []}),
        ),
    ] {
        let schema = json!({"type": "object", "properties": {"a": property}, "required": ["a"]});
        let complete = strict_in(subset, &schema).unwrap();
        assert_eq!(complete["properties"]["a"], expected, "{subset:?}");
    }
}

#[test]
fn parts_merge_into_one_object() {
    let schema = json!({
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "allOf": [
            {"$ref": "#/$defs/B"},
            {"type": "object", "properties": {"c": {"type": "string"}}, "required": ["c"]},
        ],
        "$defs": {"B": {"type": "object", "properties": {"b": {"type": "string"}}}},
    });
    for subset in BOTH {
        let complete = strict_in(subset, &schema).unwrap();
        let names: Vec<_> = complete["properties"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(complete["properties"]["b"], json!({"type": ["string", "null"]}));
        assert_eq!(complete.get("allOf"), None);
    }
    // Fields next to a flattened enumeration.
    let schema = json!({"type": "object", "properties": {"shape": {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
        "oneOf": [
            {"type": "object", "properties": {"side": {"type": "number"}}, "required": ["side"]},
            {"type": "object", "properties": {"r": {"type": "number"}}, "required": ["r"]},
        ],
    }}});
    let complete = strict_in(Subset::OpenAi, &schema).unwrap();
    let shape = &complete["properties"]["shape"];
    assert_eq!(shape["anyOf"][0]["required"], json!(["name", "side"]));
    assert_eq!(shape["anyOf"][1]["required"], json!(["name", "r"]));
    assert_eq!(shape["anyOf"][2], json!({"type": "null"}));
    assert_eq!(shape.get("properties"), None);
}

#[test]
fn recursive_types_stay_where_the_provider_accepts_them() {
    let node = json!({"type": "object", "properties": {
        "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}}});
    let schema = json!({"$ref": "#/$defs/Node", "$defs": {"Node": node}});
    let complete = strict_in(Subset::OpenAi, &schema).unwrap();
    assert_eq!((&complete["type"], &complete["required"]), (&json!("object"), &json!(["next"])));
    assert_eq!(complete["$defs"]["Node"]["additionalProperties"], false);
    assert_eq!(strict(&schema, Subset::OpenAi, Purpose::Arguments).unwrap(), complete);
    let problem = strict_in(Subset::Anthropic, &schema).unwrap_err();
    assert!(problem.contains("\"#/$defs/Node\" refers to itself"), "{problem}");
    let root = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
    assert!(strict_in(Subset::OpenAi, &root).is_ok());
    assert!(strict_in(Subset::Anthropic, &root).is_err());
    // Using a type twice is not a cycle.
    let shared = json!({"type": "object", "properties": {
        "a": {"$ref": "#/$defs/P"}, "b": {"$ref": "#/$defs/P"}},
        "$defs": {"P": {"type": "object", "properties": {"x": {"type": "string"}}}}});
    assert!(strict_in(Subset::Anthropic, &shared).is_ok());
}

#[test]
fn schemas_without_an_equivalent_are_rejected_with_place_and_remedy() {
    for (property, place, remedy) in [
        (
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            "$.properties.a,",
            "an array of objects",
        ),
        (
            json!({"type": "object", "additionalProperties": true}),
            "$.properties.a,",
            "name them as properties",
        ),
        (
            json!({"type": "array", "items": {"type": "object", "patternProperties": {"x": {}}}}),
            "$.properties.a.items,",
            "an array of objects",
        ),
        (json!({"not": {"type": "string"}}), "$.properties.a,", "list what is allowed"),
        (
            json!({"type": "object", "if": {}, "then": {"required": ["x"]}}),
            "$.properties.a,",
            "use anyOf",
        ),
        (
            json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]}),
            "$.properties.a,",
            "use an object",
        ),
        (json!({"type": "array"}), "$.properties.a,", "give their type"),
        (json!(true), "$.properties.a,", "give it a type"),
        (json!({"$ref": "https://a.b/c.json"}), "$.properties.a,", "$defs"),
        (json!({"$ref": "#/$defs/Nothing"}), "$.properties.a,", "$defs"),
        (
            json!({"type": "object", "properties": {}, "required": ["b"]}),
            "$.properties.a,",
            "add it there",
        ),
        (
            json!({"anyOf": [{"type": "object", "additionalProperties": {}}]}),
            "$.properties.a.anyOf[0],",
            "an array of objects",
        ),
        (json!({"enum": [{"x": 1}]}), "$.properties.a,", "anyOf and const"),
        (
            json!({"allOf": [{"type": "string"}, {"type": "number"}]}),
            "$.properties.a,",
            "one schema",
        ),
        (
            json!({"allOf": [{"$ref": "#/properties/a"}, {"type": "object"}]}),
            "$.properties.a,",
            "flatten",
        ),
    ] {
        let schema = json!({"type": "object", "properties": {"a": property}});
        for subset in BOTH {
            let problem = strict_in(subset, &schema).unwrap_err();
            let itself = problem.contains("refers to itself");
            assert!(problem.contains(place) || itself, "{subset:?} {property}: {problem}");
            assert!(problem.contains(remedy) || itself, "{subset:?} {property}: {problem}");
        }
    }
    let odd = json!({"type": "object", "properties": {"a b": {"type": "array"}}});
    let problem = strict_in(Subset::OpenAi, &odd).unwrap_err();
    assert!(problem.contains(r#"$.properties["a b"],"#), "{problem}");
    for root in [
        json!({"type": "array", "items": {"type": "string"}}),
        json!({"anyOf": [{"type": "object"}, {"type": "string"}]}),
        json!({"oneOf": [{"type": "object"}]}),
        json!({"type": ["object", "null"]}),
    ] {
        let problem = strict_in(Subset::OpenAi, &root).unwrap_err();
        assert!(problem.contains("wrap it in an object"), "{problem}");
    }
    let mut deep = json!({"type": "string"});
    for _ in 0..500 {
        deep = json!({"type": "array", "items": deep});
    }
    for subset in [Subset::OpenAi, Subset::Anthropic, Subset::Any] {
        let problem = strict_in(subset, &json!({"type": "object", "properties": {"a": deep}}));
        assert!(problem.unwrap_err().contains("deeper"));
    }
}

#[test]
fn beyond_anthropics_limit_of_unions_members_stay_optional() {
    let properties: serde_json::Map<_, _> =
        (0..17).map(|index| (format!("p{index}"), json!({"type": "string"}))).collect();
    let schema = json!({"type": "object", "properties": properties, "required": ["p0"]});
    let complete = strict_in(Subset::Anthropic, &schema).unwrap();
    assert_eq!(complete["required"].as_array().unwrap().len(), 17);
    let mut properties = properties;
    properties.insert("p17".into(), json!({"type": "string"}));
    let schema = json!({"type": "object", "properties": properties, "required": ["p0"]});
    let complete = strict_in(Subset::Anthropic, &schema).unwrap();
    assert_eq!(complete["required"], json!(["p0"]));
    assert_eq!(complete["properties"]["p1"], json!({"type": "string"}));
    assert_eq!(complete["additionalProperties"], false);
}

#[test]
fn tool_arguments_must_be_an_object() {
    let empty = json!({"type": "object", "properties": {}});
    for (parameters, expected) in [
        (Value::Null, empty.clone()),
        (json!({}), empty.clone()),
        (json!({"type": "object"}), empty.clone()),
        (json!({"type": ["object"]}), empty.clone()),
        (json!({"type": ["object", "null"], "properties": null}), empty),
        (
            json!({"properties": {"a": {"type": "string"}}}),
            json!({"type": "object", "properties": {"a": {"type": "string"}}}),
        ),
        (
            json!({"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "properties": {"a": {}}}}}),
            json!({"type": "object", "properties": {"a": {}},
                "$defs": {"A": {"type": "object", "properties": {"a": {}}}}}),
        ),
    ] {
        assert_eq!(arguments::arguments(&parameters).unwrap(), expected, "{parameters}");
        assert!(strict(&parameters, Subset::Any, Purpose::Arguments).is_ok(), "{parameters}");
    }
    for (parameters, expected) in [
        (json!("x"), "are a string, not a JSON Schema"),
        (json!([]), "are an array"),
        (json!(true), "are a boolean"),
        (json!({"type": "string"}), "describe \"string\""),
        (json!({"type": "array", "items": {"type": "string"}}), "describe \"array\""),
        (json!({"oneOf": [{"type": "object"}]}), "\"oneOf\" at the top"),
        (json!({"type": "object", "anyOf": []}), "\"anyOf\" at the top"),
        (json!({"$ref": "#/$defs/A"}), "not in the schema"),
    ] {
        for problem in [
            arguments::arguments(&parameters).unwrap_err(),
            strict(&parameters, Subset::OpenAi, Purpose::Arguments).unwrap_err(),
            strict(&parameters, Subset::Anthropic, Purpose::Arguments).unwrap_err(),
        ] {
            assert!(problem.contains(expected), "{parameters}: {problem}");
        }
    }
}
