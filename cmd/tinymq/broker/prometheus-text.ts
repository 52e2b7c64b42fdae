import { type Finding, STATES } from './finding.ts';

/**
 * A finding as metrics, for a file that the node exporter of Prometheus collects (`--collector.textfile.directory`). The broker's
 * own metrics are at `/metrics` of its HTTP door.
 */
export function prometheusText({ state, overview }: Finding): string {
  const metrics = [
    metric('tinymq_up', 'Whether the broker answers.', [['', overview === undefined ? 0 : 1]]),
    metric('tinymq_check_state', '0 ok, 1 warning, 2 critical, 3 unknown.', [['', STATES[state]]]),
  ];
  if (overview !== undefined) {
    const { checks, doors, store, startedAt } = overview;
    metrics.push(
      metric(
        'tinymq_check_passed',
        'Whether each check of the broker passes.',
        Object.entries(checks).map(([name, { status }]) => [`{check="${name}"}`, status === 'pass' ? 1 : 0]),
      ),
      metric(
        'tinymq_check_connections',
        'Open connections.',
        doors.map(({ name, connections }) => [`{door="${name}"}`, connections]),
      ),
      metric('tinymq_check_start_time_seconds', 'When the broker started.', [
        ['', Date.parse(startedAt) / 1000],
      ]),
    );
    if (store.bytes !== undefined) {
      metrics.push(metric('tinymq_check_store_bytes', 'Bytes of the store.', [['', store.bytes]]));
    }
  }
  return metrics.join('');
}

function metric(name: string, help: string, samples: readonly (readonly [string, number])[]): string {
  const lines = samples.map(([labels, value]) => `${name}${labels} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join('')}`;
}
