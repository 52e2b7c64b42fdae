import type { CheckedStream, ClusterCheck } from '../../../internal/cluster/inspect/check.ts';
import { UsageError } from '../../cli/options/program.ts';
import { type Command, complain, EXIT_DONE, EXIT_FAILED, invocationOf } from '../../cli/run-program.ts';
import { print } from '../access/output.ts';
import { counted, note, reporter } from '../report.ts';
import { clusterCheckProgram } from './flags.ts';
import { lookOptionsOf, toldByCluster } from './reach.ts';

export const check: Command = {
  program: clusterCheckProgram,
  async run(argv, context) {
    const { values } = await invocationOf(clusterCheckProgram, argv, context);
    const look = lookOptionsOf(values);
    const countsOnly = values['counts-only'];
    if (countsOnly && look.monitors!.length < 2) {
      throw new UsageError(
        '-counts-only compares what servers say by their monitors: name them all with -cluster-monitor',
      );
    }
    const report = reporter(values.quiet || values.json);
    // Only who looks loads what speaks NATS.
    const { clusterCheck } = await import('../../../internal/cluster/inspect/check.ts');
    const found = await toldByCluster(() =>
      clusterCheck({ ...look, countsOnly, checked: (stream) => report(streamLine(stream)) }),
    );
    if (values.json) print({ ...found, isWhole: found.findings.length === 0 });
    else printFindings(found, report);
    return found.findings.length === 0 ? EXIT_DONE : EXIT_FAILED;
  },
};

function streamLine({ stream, messages, servers }: CheckedStream): string {
  return `${stream}: ${counted(messages, 'message')}, read from ${servers.join(', ')}`;
}

function printFindings({ name, streams, findings }: ClusterCheck, report: (line: string) => void): void {
  for (const { problem, advice } of findings) {
    complain(clusterCheckProgram.name, problem);
    note(`  ${advice}`);
  }
  if (findings.length === 0) report(`${name} is whole: ${counted(streams.length, 'stream')}.`);
}
