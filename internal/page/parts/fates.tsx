import type { Fate } from '../api/types.ts';
import { bytes, clock, count } from '../lib/format.ts';
import { linkTo } from '../lib/route.ts';
import { Badge, type BadgeKind } from './basics.tsx';

const KINDS: Readonly<Record<string, BadgeKind>> = {
  dropped: 'bad',
  unkept: 'bad',
  refused: 'warn',
  throttled: 'warn',
  expired: 'warn',
};

/** What happened, why, and what to do about it. */
export function FateList({ fates, hideClient = false }: { fates: readonly Fate[]; hideClient?: boolean }) {
  return (
    <ol class="fates">
      {fates.map((fate, index) => (
        <li key={`${fate.at} ${index}`}>
          <div class="fate-head">
            <time dateTime={fate.at}>{clock(fate.at)}</time>
            <Badge kind={KINDS[fate.outcome] ?? 'plain'}>{fate.outcome}</Badge>
            <a href={linkTo(['why'], { code: fate.code })}>{fate.code}</a>
            {fate.count > 1 && <span class="quiet">{count(fate.count)} times</span>}
          </div>
          <p class="name">{fate.message}</p>
          {fate.cause && <p class="name">{fate.cause}</p>}
          <p class="remedy">{fate.remedy}</p>
          <FateFacts fate={fate} hideClient={hideClient} />
        </li>
      ))}
    </ol>
  );
}

function FateFacts({ fate, hideClient }: { fate: Fate; hideClient: boolean }) {
  const { client, user, remote, door, topic, rule, since } = fate;
  const facts: (readonly [string, string | undefined, string?])[] = [
    ['client', hideClient ? undefined : client, client && linkTo(['why'], { name: client })],
    ['user', user, user && linkTo(['why'], { name: user })],
    ['topic', topic, topic && linkTo(['why'], { name: topic })],
    ['from', remote],
    ['door', door],
    ['rule', rule, rule && linkTo(['access'], { tab: 'rules' })],
    ['since', since && clock(since)],
    ['size', fate.bytes === undefined ? undefined : bytes(fate.bytes)],
  ];
  return (
    <p class="fate-facts">
      {facts.map(
        ([name, value, href]) =>
          value !== undefined &&
          value !== '' && (
            <span key={name}>
              {name} <b class="name">{href ? <a href={href}>{value}</a> : value}</b>
            </span>
          ),
      )}
    </p>
  );
}
