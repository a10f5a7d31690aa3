// A second opinion on our JSON Schemas: Ajv judges what it is given, and `yaml` reads it.
// stdin: {"sets": [[schema, …], …], "documents": [{"name", "set", "schema", "text", "value"}]}
// stdout: {"name": {"faults": [words], "reads": true}}; `reads`: whether `yaml` reads the text as
// the value that came with it.
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import Ajv from "ajv/dist/2020.js";
import { parse } from "yaml";

const { sets, documents } = JSON.parse(readFileSync(0, "utf8"));

const validators = sets.map((schemas) =>
  schemas.map((schema) => {
    // Strict: a keyword that is misspelt is an error. A type may be said by a place's neighbours.
    const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
    ajv.addVocabulary(["markdownDescription", "markdownEnumDescriptions", "defaultSnippets"]);
    return ajv.compile(schema);
  }),
);

const verdicts = {};
for (const { name, set, schema, text, value } of documents) {
  const validate = validators[set][schema];
  validate(value);
  const faults = (validate.errors ?? []).map((fault) => `${fault.instancePath}: ${fault.message}`);
  let reads = null;
  try {
    reads = isDeepStrictEqual(parse(text), value);
  } catch {
    reads = false;
  }
  verdicts[name] = { faults, reads };
}
process.stdout.write(JSON.stringify(verdicts));
