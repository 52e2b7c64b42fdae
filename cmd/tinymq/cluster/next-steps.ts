import { shellQuoted } from '../../cli/shell.ts';
import { clusterFlags } from './compose-file.ts';
import { brokerNameOf, type ClusterPlan, hasCompose, monitorUrls, type PlannedNode } from './plan.ts';

/** What to do with the files, as commands of a shell. */
export interface Step {
  readonly title: string;
  readonly commands: readonly string[];
}

/** @param shown how a file is named in a command that is typed here. */
export function nextSteps(plan: ClusterPlan, shown: (file: string) => string): Step[] {
  const { nodes, isLocal, isTls } = plan;
  const flags = clusterFlags(plan, shown('credentials'), shown('ca.crt'));
  const toAsk = [...flags.filter((_flag, index) => flags[index - (index % 2)] !== '-cluster-monitor')];
  const line = (...words: string[]) => words.map(shellWord).join(' ');
  return [
    {
      title: isLocal
        ? 'The NATS servers, each in a terminal of its own:'
        : 'The NATS servers, each on its machine:',
      commands: nodes.map(({ name }) => line('nats-server', '-c', shown(`${name}.conf`))),
    },
    {
      title: isLocal
        ? 'The brokers, each in a terminal of its own:'
        : `A broker on each machine, with a copy of ${shown('credentials')}${isTls ? ` and ${shown('ca.crt')}` : ''}:`,
      commands: isLocal
        ? nodes.map((node) => line('broker', ...flags, ...localFlags(node, shown)))
        : [line('broker', ...flags, '-data-dir', './data')],
    },
    ...(hasCompose(plan)
      ? [
          {
            title: 'Or all of them in containers of this machine, to try it:',
            commands: [line('docker', 'compose', '-f', shown('compose.yaml'), 'up')],
          },
        ]
      : []),
    {
      title: 'Then look at them:',
      commands: [
        line('tinymq', 'cluster', 'status', ...toAsk),
        line('tinymq', 'cluster', 'check', ...toAsk, '-cluster-monitor', monitorUrls(plan).join(',')),
      ],
    },
  ];
}

/** A broker that has a machine with others to itself. */
function localFlags(node: PlannedNode, shown: (file: string) => string): string[] {
  const { mqtt, kafka, grpc, http } = node.broker;
  return [
    ...['-address', `localhost:${mqtt}`, '-kafka', `localhost:${kafka}`],
    ...['-grpc', `localhost:${grpc}`, '-http', `localhost:${http}`],
    ...['-data-dir', shown(`data/${brokerNameOf(node.name)}`)],
  ];
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : shellQuoted(word);
}
