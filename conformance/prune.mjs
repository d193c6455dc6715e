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
console.log(JSON.stringify(corrected(pruned), null, 1));
