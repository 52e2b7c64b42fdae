import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { BUCKETS, METRICS, type MetricEntry } from '../../internal/observe/metric-table.ts';
import { METRIC_PREFIX } from '../../internal/observe/metrics-text.ts';

const path = (name: string) => fileURLToPath(new URL(`../../docs/monitoring/${name}`, import.meta.url));
const read = (name: string) => readFileSync(path(name), 'utf8');
const hasPromtool = spawnSync('promtool', ['--version']).error === undefined;

interface Rules {
  groups: { rules: { alert: string; expr: string; annotations: Record<string, string> }[] }[];
}
interface Dashboard {
  panels: { type: string; title: string; targets?: { expr: string; legendFormat: string }[] }[];
}

const alerts = (parse(read('alerts.yaml')) as Rules).groups.flatMap(({ rules }) => rules);
const panels = (JSON.parse(read('grafana-dashboard.json')) as Dashboard).panels.filter(
  ({ type }) => type !== 'row',
);

/** The metrics that a query names must be there, and labels must be theirs or those that Prometheus adds. */
function expectKnown(query: string): void {
  const names = [...query.matchAll(/tinymq_[a-z0-9_]+/g)].map(([name]) => name.slice(METRIC_PREFIX.length));
  expect(names.length, query).toBeGreaterThan(0);
  const labels = new Set(['instance', 'le']);
  for (const name of names) {
    const metric = name.replace(/_bucket$/, '');
    expect(Object.keys(METRICS), query).toContain(metric);
    if (metric !== name) expect(Object.keys(BUCKETS)).toContain(metric);
    const { labels: own = [] }: MetricEntry = METRICS[metric as keyof typeof METRICS];
    for (const label of own) labels.add(label);
  }
  const used = [
    ...[...query.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(/, */)),
    ...[...query.matchAll(/[{,] *([a-z_]+)(?:=|!=|=~)"/g)].map(([, label]) => label!),
  ];
  for (const label of used) expect([...labels], query).toContain(label);
}

describe('the alert rules', () => {
  it.each(alerts.map((rule) => [rule.alert, rule] as const))(
    '%s asks for metrics that there are',
    (_, rule) => {
      expectKnown(rule.expr);
      expect(rule.annotations.summary).not.toBe('');
      expect(rule.annotations.description).not.toBe('');
    },
  );

  it.runIf(hasPromtool)('are right for promtool', () => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', path('alerts.yaml')]);
    expect(status, `${stdout}${stderr}`).toBe(0);
  });
});

describe('the dashboard', () => {
  it.each(panels.map((panel) => [panel.title, panel] as const))(
    '%s asks for metrics that there are',
    (_, panel) => {
      for (const { expr } of panel.targets!) expectKnown(expr);
    },
  );

  it('shows each counter as a rate', () => {
    for (const { expr } of panels.flatMap(({ targets = [] }) => targets))
      for (const [name] of expr.matchAll(/tinymq_[a-z_]+_total/g)) expect(expr).toContain(`rate(${name}`);
  });

  it.runIf(hasPromtool)('has queries that Prometheus understands', () => {
    const rules = panels
      .flatMap(({ targets = [] }) => targets)
      .map(({ expr }, index) => ({
        record: `panel:${index}`,
        expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*'),
      }));
    const folder = mkdtempSync(join(tmpdir(), 'tinymq-panels-'));
    const file = join(folder, 'panels.yaml');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'panels', rules }] }));
    const { status, stderr, stdout } = spawnSync('promtool', ['check', 'rules', file]);
    rmSync(folder, { recursive: true });
    expect(status, `${stdout}${stderr}`).toBe(0);
  });
});
