import { expect, it } from 'vitest';
import { TurnTime } from '../delivery/turn-time.ts';
import { Routes } from './routes.ts';
import type { Member } from './targets.ts';

function member(parts: Partial<Member> = {}): Member {
  return { deliver() {}, isFull: false, holdBack() {}, ...parts };
}

function routesWithChanges() {
  const routes = new Routes(new TurnTime());
  const changes: string[] = [];
  const end = routes.interest.onChange((filter, isWanted) =>
    changes.push(`${isWanted ? '+' : '-'} ${filter}`),
  );
  return { routes, changes, end };
}

it('a filter is told with its first subscriber and its last', () => {
  const { routes, changes, end } = routesWithChanges();
  const [one, two] = [member(), member()];
  routes.attach('a/+', one);
  routes.attach('a/+', two);
  routes.attach('a/+', two);
  routes.detach('a/+', one);
  expect(changes).toEqual(['+ a/+']);
  expect(routes.interest.size).toBe(1);
  routes.detach('a/+', two);
  routes.detach('a/+', two);
  expect(changes).toEqual(['+ a/+', '- a/+']);
  end();
  routes.attach('b', one);
  expect(changes).toHaveLength(2);
});

it('a shared filter is told as what it matches, once for each group and everybody else', () => {
  const { routes, changes } = routesWithChanges();
  const [one, two] = [member(), member()];
  routes.attach('$share/g/a', one);
  routes.attach('$share/g/a', two);
  routes.attach('$share/h/a', one);
  routes.detach('$share/g/a', one);
  routes.detach('$share/g/a', two);
  expect(changes).toEqual(['+ a']);
  routes.detach('$share/h/a', one);
  expect(changes).toEqual(['+ a', '- a']);
});

it('the capture of a log is no subscriber', () => {
  const { routes, changes } = routesWithChanges();
  const capture = member({ isOfNode: true });
  routes.attach('#', capture);
  routes.detach('#', capture);
  expect(changes).toEqual([]);
});

it('who hears of a change finds the targets that it leads to', () => {
  const { routes } = routesWithChanges();
  const found: number[] = [];
  routes.interest.onChange(() => found.push(routes.match('a').receivers.length));
  const one = member();
  routes.attach('a', one);
  routes.detach('a', one);
  expect(found).toEqual([1, 0]);
});
