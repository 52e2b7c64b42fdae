import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { installedOnce, mustRun } from '../support/installed-once.ts';
import { commandsOf, firstMissing, type Step, type Walk, walksOf } from '../support/page-steps.ts';
import { otherPorts, Terminals } from '../support/terminals.ts';
import { preparedFiles } from './prepared-files.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DOCS = join(ROOT, 'docs');
const EXAMPLES = fileURLToPath(new URL('examples', import.meta.url));
const PLACE_OF_EXAMPLE = '// the example\n';
/** A walk may have to fetch what it installs, and Kafka to start, on a machine that is busy. */
const PATIENCE_MS = 600_000;
/** Programs of a machine that pages use, and how each is asked for its version. */
const TOOLS: Record<string, string[]> = {
  mosquitto: ['-h'],
  mosquitto_pub: ['--help'],
  mosquitto_sub: ['--help'],
  mosquitto_passwd: ['-h'],
  kcat: ['-V'],
  curl: ['--version'],
  sqlite3: ['--version'],
  npm: ['--version'],
  python3: ['-m', 'venv', '-h'],
  java: ['-version'],
  mvn: ['-version'],
  telegraf: ['--version'],
};

/** What the files that a page begins with are made by. */
const PREPARED_BY: Record<string, string[]> = {
  'from-kafka.md': ['java', 'mvn'],
  'home-assistant.md': ['python3'],
};

const pages = readdirSync(DOCS)
  .filter((name) => name.endsWith('.md'))
  .map((name) => [name, walksOf(readFileSync(join(DOCS, name), 'utf8'))] as const);

describe.each(pages.filter(([, walks]) => walks.length > 0))('docs/%s', (name, walks) => {
  it.for(walks.map((walk, index) => [walk.title, index] as const))(
    'runs: %s',
    { timeout: PATIENCE_MS },
    async ([, index], { skip }) => {
      const walk = walks[index]!;
      const missing = missingTool(walk, name);
      if (missing !== undefined) skip(`it needs ${missing}`);
      await take(walk, name);
    },
  );
});

async function take({ steps }: Walk, page: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-page-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  await using terminals = new Terminals(folder, await otherPorts());
  linkPackages(folder);
  await preparedFiles[page]?.(folder, (text) => terminals.withPorts(text));
  for (const step of steps) await takeStep(step, terminals, folder);
}

async function takeStep(step: Step, terminals: Terminals, folder: string): Promise<void> {
  switch (step.kind) {
    case 'install':
      return link(await installed(step.script), folder);
    case 'file':
      mkdirSync(dirname(join(folder, step.name)), { recursive: true });
      return writeFileSync(join(folder, step.name), terminals.withPorts(step.content));
    case 'example':
      writeFileSync(join(folder, 'example.mjs'), surrounded(step.name, step.content));
      return terminals.type('node example.mjs');
    case 'run':
      for (const line of step.lines) await terminals.type(line);
      return;
    case 'prints': {
      const { stdout, stderr, line } = terminals.last(step.command);
      const wanted = step.lines.map((wantedLine) => terminals.withPorts(wantedLine));
      const missing = () => firstMissing(wanted, `${stdout()}\n${stderr()}`);
      await eventually(() => missing() === undefined, `what ${line} prints`).catch(() =>
        expect.fail(`${line} does not print:\n  ${missing()}\nbut:\n${stdout()}\n${stderr()}`),
      );
    }
  }
}

/** The program that a part of a page belongs to. */
function surrounded(name: string, part: string): string {
  const program = readFileSync(join(EXAMPLES, `${name}.mjs`), 'utf8');
  expect(program).toContain(PLACE_OF_EXAMPLE);
  return program.replace(PLACE_OF_EXAMPLE, () => part);
}

/** What `npm install` of the package puts there. */
function linkPackages(folder: string): void {
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules/tinymq'));
  symlinkSync(join(ROOT, 'node_modules/vitest'), join(folder, 'node_modules/vitest'));
}

function installed(script: string): Promise<string> {
  return installedOnce('page', script, async (folder) => {
    // Without it npm takes the folder of this checkout for the place to install to.
    writeFileSync(join(folder, 'package.json'), '{ "private": true }');
    for (const line of commandsOf(script)) await mustRun('sh', ['-c', line], folder);
  });
}

/** Puts links to what an installation made into the folder, packages beside those that are there. */
function link(from: string, to: string): void {
  for (const name of readdirSync(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    if (name === 'node_modules') link(source, target);
    else if (name === '.bin') cpSync(source, target, { recursive: true, verbatimSymlinks: true });
    else if (!existsSync(target)) symlinkSync(source, target);
  }
}

/** No make target installs them, so they may be missing in CI too. */
const OPTIONAL = new Set(['mosquitto', 'mosquitto_passwd', 'telegraf']);

/** A program that a walk types and that is not here; in CI the walk fails then, unless that is to be expected. */
function missingTool({ steps }: Walk, page: string): string | undefined {
  const scripts = steps.flatMap((step) =>
    step.kind === 'run' ? step.lines : step.kind === 'install' ? [step.script] : [],
  );
  const words = new Set([...scripts.join('\n').split(/[\s|;&()]+/), ...(PREPARED_BY[page] ?? [])]);
  const tools = Object.keys(TOOLS).filter(
    (tool) => words.has(tool) && (!process.env.CI || OPTIONAL.has(tool)),
  );
  return tools.find((tool) => spawnSync(tool, TOOLS[tool]).error !== undefined);
}
