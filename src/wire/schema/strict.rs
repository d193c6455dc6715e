//! Completes a strict schema.

use serde_json::{Map, Value, json};

use super::arguments::{arguments, with_root_inlined};
use super::gemini;
use super::keywords::{self, rejection};
use super::kind::{add_implied_type, is_an_object, is_typed};
use super::nullable::nullable;
use super::path::Path;
use super::reference::{self, Definitions};
use super::{Purpose, Subset};

/// The deepest nesting of a schema: deeper than any real type, and a bound on the stack.
pub(super) const DEEPEST: usize = 100;

/// Keywords that do not narrow what a schema allows.
const ANNOTATIONS: [&str; 6] =
    ["description", "title", "default", "examples", "$comment", "deprecated"];

/// Completes a schema. If `required` is false, optional members stay optional.
pub(super) fn complete(
    schema: &Value,
    subset: Subset,
    purpose: Purpose,
    required: bool,
) -> Result<Value, String> {
    let root = match purpose {
        Purpose::Arguments => match arguments(schema)? {
            Value::Object(root) => root,
            _ => Map::new(),
        },
        Purpose::Answer => match schema {
            Value::Object(schema) => with_root_inlined(schema)?,
            other => {
                return Err(format!(
                    "is {}, not a JSON Schema; give one such as {{\"type\": \"object\", \
                     \"properties\": {{…}}}}",
                    reference::type_name(other)
                ));
            }
        },
    };
    if subset == Subset::OpenAi {
        check_root(&root)?;
    }
    let definitions = Definitions::of(&root);
    if subset == Subset::Anthropic {
        if let Some(pointer) = definitions.cycle() {
            return Err(format!(
                "cannot be strict: {pointer:?} refers to itself, and Anthropic accepts no recursive \
                 schemas; define one type for each level, or set strict to false and use a tool"
            ));
        }
    }
    let mut schema = Completion { definitions, subset, required }.node(&root, &Path::ROOT)?;
    if subset == Subset::Gemini {
        gemini::rename_references(&mut schema);
    }
    Ok(schema)
}

/// "Root objects must not be anyOf and must be an object" (OpenAI's guide).
fn check_root(root: &Map<String, Value>) -> Result<(), String> {
    const WRAP: &str = "wrap it in an object with one member";
    for keyword in ["anyOf", "oneOf"] {
        if root.contains_key(keyword) {
            return Err(rejection(&Path::ROOT, &format!("the root has {keyword:?}"), WRAP));
        }
    }
    match root.get("type") {
        Some(kind) if kind != "object" => Err(rejection(
            &Path::ROOT,
            &format!("the root is of type {kind}, not \"object\""),
            WRAP,
        )),
        _ => Ok(()),
    }
}

struct Completion<'a> {
    definitions: Definitions<'a>,
    subset: Subset,
    required: bool,
}

impl Completion<'_> {
    fn value(&self, value: &Value, path: &Path<'_>) -> Result<Value, String> {
        match value {
            Value::Object(schema) => self.node(schema, path),
            _ if self.subset == Subset::Any => Ok(value.clone()),
            Value::Bool(true) => Err(rejection(path, "it allows any value", "give it a type")),
            other => Err(rejection(
                path,
                &format!("it is {}, not a schema", reference::type_name(other)),
                "give it a type",
            )),
        }
    }

    fn node(&self, given: &Map<String, Value>, path: &Path<'_>) -> Result<Value, String> {
        if path.depth() > DEEPEST {
            return Err(format!("nests deeper than {DEEPEST} levels; flatten it"));
        }
        let mut schema = match self.subset {
            Subset::Any => given.clone(),
            _ => self.flat(given, path)?,
        };
        let one_of = schema.contains_key("oneOf") && self.subset != Subset::Any;
        if let Some(variants) = one_of.then(|| schema.shift_remove("oneOf")).flatten() {
            // The variants of an enumeration exclude each other, so `anyOf` means the same.
            if schema.contains_key("anyOf") {
                return Err(rejection(path, "it has both \"anyOf\" and \"oneOf\"", "use only one"));
            }
            schema.insert("anyOf".to_owned(), variants);
        }
        self.push_into_variants(&mut schema, path)?;
        let openapi = schema.shift_remove("nullable") == Some(Value::Bool(true));
        add_implied_type(&mut schema);
        if self.subset == Subset::Gemini {
            gemini::rewrite(&mut schema);
        }
        keywords::remove_unsupported(&mut schema, self.subset, path)?;
        if schema.contains_key("$ref") {
            return self.reference(schema, path);
        }
        self.list(&mut schema, path)?;
        self.below(&mut schema, path)?;
        // If it has subschemas, closing the object would forbid their members.
        let has_parts = ["allOf", "anyOf", "oneOf", "if", "patternProperties"]
            .iter()
            .any(|keyword| schema.contains_key(*keyword));
        if is_an_object(&schema) && !has_parts && self.subset != Subset::Gemini {
            self.close(&mut schema, path)?;
        }
        if self.subset == Subset::OpenAi && !is_typed(&schema) {
            return Err(rejection(path, "it allows any value", "give it a type"));
        }
        let schema = Value::from(schema);
        let schema = if openapi { nullable(schema, self.definitions) } else { schema };
        Ok(if self.subset == Subset::Gemini { gemini::without_null(schema) } else { schema })
    }

    /// Merges the parts of `allOf` into the schema, and the target of a reference if the schema has
    /// other keywords than annotations beside it.
    fn flat(
        &self,
        given: &Map<String, Value>,
        path: &Path<'_>,
    ) -> Result<Map<String, Value>, String> {
        let mut schema = given.clone();
        // Parts can have parts; more levels than this are a cycle.
        for _ in 0..16 {
            let parts = match schema.shift_remove("allOf") {
                Some(Value::Array(parts)) => parts,
                _ => Vec::new(),
            };
            let beside = |name: &String| name != "$ref" && !ANNOTATIONS.contains(&name.as_str());
            let pointer = schema.get("$ref").cloned();
            let pointer = pointer.filter(|_| !parts.is_empty() || schema.keys().any(beside));
            if parts.is_empty() && pointer.is_none() {
                return Ok(schema);
            }
            // A single reference with only annotations beside it stays a reference, because it can
            // be recursive.
            if let ([Value::Object(only)], None) = (parts.as_slice(), &pointer) {
                if !schema.keys().any(beside) {
                    for (name, value) in only {
                        schema.entry(name.as_str()).or_insert_with(|| value.clone());
                    }
                    continue;
                }
            }
            if let Some(pointer) = pointer {
                schema.shift_remove("$ref");
                self.merge(&mut schema, self.target(&pointer, path)?, path)?;
            }
            for part in &parts {
                let part = part.as_object().ok_or_else(|| {
                    rejection(
                        path,
                        "\"allOf\" contains something that is not a schema",
                        "remove it",
                    )
                })?;
                match part.get("$ref") {
                    Some(pointer) if part.len() == 1 => {
                        self.merge(&mut schema, self.target(pointer, path)?, path)?;
                    }
                    _ => self.merge(&mut schema, part, path)?,
                }
            }
        }
        Err(rejection(path, "\"allOf\" and references form a cycle", "flatten the type"))
    }

    fn merge(
        &self,
        schema: &mut Map<String, Value>,
        part: &Map<String, Value>,
        path: &Path<'_>,
    ) -> Result<(), String> {
        reference::merge(schema, part).map_err(|keyword| {
            rejection(
                path,
                &format!("the parts of \"allOf\" conflict in {keyword:?}"),
                "write them as one schema",
            )
        })
    }

    fn target(&self, pointer: &Value, path: &Path<'_>) -> Result<&Map<String, Value>, String> {
        self.definitions.resolved(pointer).ok_or_else(|| {
            rejection(path, &format!("{pointer} is not in the schema"), "define it in \"$defs\"")
        })
    }

    /// Writes a reference. Neither provider accepts other keywords beside one, but both accept them
    /// beside a union ("$ref cannot have keywords {'description'}", OpenAI;
    /// langchain-ai/langchainjs #11384).
    fn reference(&self, mut schema: Map<String, Value>, path: &Path<'_>) -> Result<Value, String> {
        if let Some(pointer) = schema.get("$ref") {
            self.target(pointer, path)?;
        }
        if schema.len() > 1 && self.subset != Subset::Any {
            if let Some(pointer) = schema.shift_remove("$ref") {
                schema.insert("anyOf".to_owned(), json!([{"$ref": pointer}]));
            }
        }
        Ok(schema.into())
    }

    /// Copies the members next to a union into each of its variants, such as the common fields of a
    /// tagged enumeration.
    fn push_into_variants(
        &self,
        schema: &mut Map<String, Value>,
        path: &Path<'_>,
    ) -> Result<(), String> {
        let shared = ["properties", "required", "additionalProperties"];
        let has_properties =
            schema.get("properties").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
        let Some(Value::Array(variants)) = schema.get("anyOf") else { return Ok(()) };
        if self.subset == Subset::Any {
            return Ok(());
        }
        if has_properties {
            let mut whole = Vec::with_capacity(variants.len());
            for variant in variants {
                let variant = variant.as_object().cloned().unwrap_or_default();
                let mut variant = self.flat(&variant, path)?;
                if let Some(pointer) = variant.shift_remove("$ref") {
                    let target = self.target(&pointer, path)?.clone();
                    self.merge(&mut variant, &target, path)?;
                }
                let common = shared
                    .iter()
                    .filter_map(|name| Some(((*name).to_owned(), schema.get(*name)?.clone())));
                let common: Map<_, _> = common.collect();
                let mut joined = common.clone();
                self.merge(&mut joined, &variant, path)?;
                joined.insert("type".to_owned(), "object".into());
                whole.push(Value::from(joined));
            }
            schema.insert("anyOf".to_owned(), whole.into());
        }
        for name in shared {
            schema.shift_remove(name);
        }
        // Each variant has its own type.
        if schema.get("type").is_some_and(|kind| kind == "object") {
            schema.shift_remove("type");
        }
        Ok(())
    }

    /// Rewrites an array whose items are listed one by one: if they are all equal, `items` replaces
    /// the list. Otherwise there is no equivalent.
    fn list(&self, schema: &mut Map<String, Value>, path: &Path<'_>) -> Result<(), String> {
        if self.subset == Subset::Any {
            return Ok(());
        }
        let listed = match (schema.get("prefixItems"), schema.get("items")) {
            (Some(Value::Array(_)), _) if self.subset == Subset::Gemini => return Ok(()),
            (Some(Value::Array(items)), _) | (None, Some(Value::Array(items))) => items.clone(),
            _ => {
                let is_array = schema.get("type").is_some_and(|kind| kind == "array");
                if is_array && !schema.contains_key("items") {
                    return Err(rejection(path, "the array has no \"items\"", "give their type"));
                }
                return Ok(());
            }
        };
        match listed.split_first() {
            Some((first, rest)) if rest.iter().all(|other| other == first) => {
                schema.shift_remove("prefixItems");
                schema.insert("items".to_owned(), first.clone());
                Ok(())
            }
            _ => Err(rejection(
                path,
                "the items of the array differ in type",
                "use an object with a member for each item",
            )),
        }
    }

    /// Completes the subschemas.
    fn below(&self, schema: &mut Map<String, Value>, path: &Path<'_>) -> Result<(), String> {
        for name in ["items", "additionalProperties"] {
            if schema.get(name).is_some_and(|value| name == "items" || value.is_object()) {
                let is_open = matches!(self.subset, Subset::Any | Subset::Gemini);
                if name == "additionalProperties" && !is_open {
                    continue;
                }
                let below = self.value(&schema[name], &path.to(name))?;
                schema.insert(name.to_owned(), below);
            }
        }
        for name in ["anyOf", "oneOf", "prefixItems"] {
            let Some(Value::Array(variants)) = schema.get_mut(name) else { continue };
            let path = path.to(name);
            for (index, variant) in variants.iter_mut().enumerate() {
                *variant = self.value(variant, &path.to(&index.to_string()))?;
            }
        }
        for name in ["$defs", "definitions", "properties"] {
            let Some(Value::Object(members)) = schema.get_mut(name) else { continue };
            let path = path.to(name);
            for (name, member) in members {
                *member = self.value(member, &path.to(name))?;
            }
        }
        Ok(())
    }

    /// Closes an object and requires all of its members.
    fn close(&self, schema: &mut Map<String, Value>, path: &Path<'_>) -> Result<(), String> {
        match schema.get("additionalProperties") {
            None | Some(Value::Bool(false)) => {}
            Some(_) if self.subset == Subset::Any => {}
            Some(_) => {
                return Err(rejection(
                    path,
                    "the object allows any members (\"additionalProperties\")",
                    "name them as properties, or use an array of objects with a key and a value",
                ));
            }
        }
        let optional: Vec<String> = {
            let required = schema.get("required").and_then(Value::as_array);
            let properties = schema.get("properties").and_then(Value::as_object);
            let has = |name: &Value| {
                let name = name.as_str().unwrap_or_default();
                properties.is_some_and(|properties| properties.contains_key(name))
            };
            if self.subset != Subset::Any {
                if let Some(name) = required.into_iter().flatten().find(|name| !has(name)) {
                    return Err(rejection(
                        path,
                        &format!("{name} is required but not in \"properties\""),
                        "add it there",
                    ));
                }
            }
            let is_required =
                |name: &&String| required.is_some_and(|all| all.iter().any(|one| one == *name));
            let names = properties.into_iter().flat_map(Map::keys);
            names.filter(|name| !is_required(name)).cloned().collect()
        };
        let properties = schema.entry("properties").or_insert_with(|| json!({}));
        if let (Value::Object(properties), true) = (properties, self.required) {
            for name in &optional {
                if let Some(property) = properties.get_mut(name) {
                    *property = nullable(property.take(), self.definitions);
                }
            }
            let names: Vec<Value> = properties.keys().map(|name| name.as_str().into()).collect();
            schema.insert("required".to_owned(), names.into());
        }
        schema.entry("additionalProperties").or_insert_with(|| false.into());
        Ok(())
    }
}
