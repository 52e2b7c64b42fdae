import { cpSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { succeeds, type Toolchain, toolchain } from '../interop/support/toolchains.ts';
import { run } from '../support/broker-process.ts';
import { installedOnce, mustRun } from '../support/installed-once.ts';

const CLIENTS = fileURLToPath(new URL('clients/', import.meta.url));
const PROTO_FOLDER = fileURLToPath(new URL('../../internal/protocol/smq/', import.meta.url));

/** The command that runs a client with pysmq, the client that SMQ publishes for Python. */
export function pysmq(): Promise<Toolchain<string[]>> {
  return toolchain('python3 with venv', succeeds('python3', '-m', 'venv', '-h'), async () => [
    await pythonWithSmq(),
    join(CLIENTS, 'python/smq_client.py'),
  ]);
}

/** A client in Go, whose code protoc generated from our own smq.proto. */
export function goClient(): Promise<Toolchain<string>> {
  const isThere = succeeds('go', 'version') && succeeds('python3', '-m', 'venv', '-h');
  return toolchain('go, and python3 for protoc', isThere, async () => {
    const module = join(CLIENTS, 'go');
    const sources = [
      ...readdirSync(module).map((name) => join(module, name)),
      join(PROTO_FOLDER, 'smq.proto'),
    ];
    const recipe = sources.map((path) => readFileSync(path, 'utf8')).join('\n');
    const python = await pythonWithSmq();
    const folder = await installedOnce('smq-go', recipe, (into) => buildGo(module, python, into));
    return join(folder, 'client');
  });
}

async function buildGo(module: string, python: string, into: string): Promise<void> {
  const copy = join(into, 'module');
  const generated = join(copy, 'smq');
  const plugins = join(into, 'plugins');
  cpSync(module, copy, { recursive: true });
  for (const folder of [generated, plugins]) mkdirSync(folder);
  for (const plugin of [
    'google.golang.org/protobuf/cmd/protoc-gen-go',
    'google.golang.org/grpc/cmd/protoc-gen-go-grpc',
  ]) {
    await mustRun('go', ['build', '-o', `${plugins}/`, plugin], copy);
  }
  const made = ['go', 'go-grpc'].flatMap((kind) => [
    `--${kind}_out=${generated}`,
    `--${kind}_opt=paths=source_relative`,
  ]);
  const protoc = ['-m', 'grpc_tools.protoc', `-I${PROTO_FOLDER}`, ...made, 'smq.proto'];
  const PATH = `${plugins}${delimiter}${process.env.PATH}`;
  const { code, stderr } = await run(python, protoc, { env: { PATH } });
  if (code !== 0) throw new Error(`protoc ended with ${code}: ${stderr}`);
  await mustRun('go', ['build', '-o', join(into, 'client'), '.'], copy);
}

async function pythonWithSmq(): Promise<string> {
  const requirements = join(CLIENTS, 'python/requirements.txt');
  const folder = await installedOnce('pysmq', readFileSync(requirements, 'utf8'), async (into) => {
    await mustRun('python3', ['-m', 'venv', into]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements];
    await mustRun(join(into, 'bin/python'), pip);
  });
  return join(folder, 'bin/python');
}
