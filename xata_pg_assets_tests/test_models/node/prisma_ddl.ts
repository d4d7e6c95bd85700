// Prints the statements by which `prisma migrate` would make a database of the schema.prisma beside it.
import { readFileSync } from "node:fs";
import { PrismaPg } from "@prisma/adapter-pg";
import { bindMigrationAwareSqlAdapterFactory } from "@prisma/driver-adapter-utils";
import * as engines from "@prisma/schema-engine-wasm/schema_engine_bg";

// Node imports no .wasm by itself
const wasm = readFileSync("node_modules/@prisma/schema-engine-wasm/schema_engine_bg.wasm");
const { instance } = await WebAssembly.instantiate(wasm, { "./schema_engine_bg.js": engines as any });
(engines as any).__wbg_set_wasm(instance.exports);
(instance.exports as any).__wbindgen_start?.();

const files = [{ path: "schema.prisma", content: readFileSync("schema.prisma", "utf8") }];
const adapter = bindMigrationAwareSqlAdapterFactory(new PrismaPg({}));
const engine = await (engines as any).SchemaEngine.new(
  { datamodels: files.map(({ path, content }) => [path, content]) },
  () => {},
  adapter,
);
const result = await engine.diff({
  from: { tag: "empty" },
  to: { tag: "schemaDatamodel", files },
  script: true,
  exitCode: null,
  filters: { externalTables: [], externalEnums: [] },
});
process.stdout.write(result.stdout ?? "", () => process.exit(0)); // the engine keeps Node running
