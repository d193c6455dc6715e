// Cuts an OpenAPI file down to the request bodies of a few paths.
//
//   node prune.mjs FILE PATH... > pruned.json
//
// Run it where Prism is installed: it uses Prism's js-yaml.
//
// Prism compiles all schemas of an operation, its responses included, and checks nothing if one
// of them does not compile. It also answers an invalid request with the error response that the
// file describes, which hides what was wrong. So the responses go, and with them every component
// that no request body refers to.
//
// OpenAI's file writes `nullable: true` beside `$ref` and `anyOf`. The schema compiler of Prism
// refuses `nullable` without `type`, and Prism then accepts every request. The script writes these
// as "this schema or null". It also offers `oneOf` whose choices overlap: a message with a list of
// texts fits two of them, so that OpenAI's own examples fail. `oneOf` becomes `anyOf`.
//
// Most files do not forbid unknown members, so that a misspelled one would pass. The script forbids
// them wherever a schema lists its members, unless it says what others may be. For this it merges
// the parts of each `allOf`, since each part alone would reject the members of the others.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const { load } = createRequire(join(process.cwd(), "package.json"))("js-yaml");
const [file, ...paths] = process.argv.slice(2);
const whole = load(readFileSync(file, "utf8"));

const pruned = { openapi: whole.openapi, info: whole.info, servers: whole.servers, paths: {} };
for (const path of paths) {
  const operation = whole.paths[path]?.post;
  if (!operation) throw new Error(`${file} has no POST ${path}`);
  const { parameters, requestBody } = operation;
  pruned.paths[path] = {
    post: { parameters, requestBody, responses: { 200: { description: "The request is valid." } } },
  };
}

// Copies what `value` refers to, and what that refers to in turn.
const seen = new Set();
function follow(value) {
  if (value === null || typeof value !== "object") return;
  if (typeof value.$ref === "string" && !seen.has(value.$ref)) {
    seen.add(value.$ref);
    const steps = value.$ref.replace(/^#\//, "").split("/");
    const names = steps.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
    let [from, to] = [whole, pruned];
    for (const name of names.slice(0, -1)) {
      from = from?.[name];
      to = to[name] ??= {};
    }
    const last = names.at(-1);
    if (from?.[last] === undefined) throw new Error(`${file} has no ${value.$ref}`);
    to[last] = from[last];
    follow(from[last]);
  }
  Object.values(value).forEach(follow);
}
follow(pruned.paths);

// Rewrites `nullable` where no `type` stands beside it, and `oneOf`.
function corrected(value) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(corrected);
  const renamed = (name, inner) => (name === "oneOf" && Array.isArray(inner) ? "anyOf" : name);
  const entries = Object.entries(value).map(([name, inner]) => [
    renamed(name, inner),
    corrected(inner),
  ]);
  const { nullable, ...rest } = Object.fromEntries(entries);
  if (nullable === undefined) return rest;
  if (typeof nullable !== "boolean" || rest.type !== undefined) return { ...rest, nullable };
  return nullable ? { anyOf: [rest, { type: "null" }] } : rest;
}

// The schema with its `$ref` and `allOf` replaced by what they stand for, one level deep.
function merged(schema) {
  if (typeof schema?.$ref === "string") {
    const { $ref, ...rest } = schema;
    const names = $ref.replace(/^#\//, "").split("/");
    const found = names.reduce(
      (from, name) => from[name.replaceAll("~1", "/").replaceAll("~0", "~")],
      result,
    );
    return merged({ ...found, ...rest });
  }
  if (!Array.isArray(schema?.allOf)) return schema;
  const { allOf, ...rest } = schema;
  const parts = [...allOf.map(merged), rest];
  // A choice among several schemas cannot be merged.
  if (parts.some((part) => part.anyOf)) return schema;
  const properties = Object.assign({}, ...parts.map((part) => part.properties));
  const required = [...new Set(parts.flatMap((part) => part.required ?? []))];
  const whole = Object.assign({}, ...parts);
  if (Object.keys(properties).length > 0) whole.properties = properties;
  if (required.length > 0) whole.required = required;
  return whole;
}

// Forbids members that a schema does not list. `named` says that the keys of `value` are names of
// members or schemas, not keywords.
function closed(value, named = false) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((inner) => closed(inner));
  const whole = named || !value.allOf ? value : merged(value);
  const open = !named && whole.properties && !whole.allOf && !whole.anyOf;
  const entries = Object.entries(whole).map(([name, inner]) => {
    if (["example", "examples", "default", "enum"].includes(name) && !named) return [name, inner];
    // The parts of an `allOf` that cannot be merged stay open.
    if (name === "allOf" && !named) return [name, inner];
    return [name, closed(inner, !named && ["properties", "schemas"].includes(name))];
  });
  const result = Object.fromEntries(entries);
  if (open && result.additionalProperties === undefined) result.additionalProperties = false;
  return result;
}

const result = corrected(pruned);
console.log(JSON.stringify(closed(result), null, 1));
