/** `make bench`: runs the cases and prints medians and ratios; the raw figures go to bench/results. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { help, type Options, optionsOf } from './options.ts';
import { canPin } from './processes.ts';
import { printCase, printHead, printProblem, saveResults } from './report.ts';
import { type CaseResult, runCase } from './run-case.ts';

if (process.argv.slice(2).some((argument) => /^--?h(elp)?$/.test(argument))) {
  console.log(help);
} else {
  process.on('SIGINT', () => process.exit(130));
  process.on('SIGTERM', () => process.exit(143));
  try {
    process.exitCode = await run(optionsOf(process.env));
  } catch (error) {
    printProblem((error as Error).message);
    process.exitCode = 2;
  }
}

/** Returns the exit code: 1 where a peer failed in some case. */
async function run(options: Options): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  printHead(options);
  if (!canPin) printProblem('processes cannot be tied to cores here: the figures will vary more');
  const missing = options.peers.filter((peer) => peer.problem() !== undefined);
  for (const peer of missing) printProblem(`${peer.name} is left out: ${peer.problem()}`);
  const present = options.peers.filter((peer) => !missing.includes(peer));
  const results: CaseResult[] = [];
  for (const chosen of options.cases) {
    const result = await runCase(chosen, { ...options, peers: present }, folder);
    if (result.contestants.length === 0) continue;
    printCase(result);
    results.push(result);
  }
  saveResults(options, results);
  const hasFailed = results.some(({ contestants }) =>
    contestants.some(({ problem }) => problem !== undefined),
  );
  return hasFailed ? 1 : 0;
}
