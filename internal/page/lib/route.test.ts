import { expect, it } from 'vitest';
import { linkTo, parseRoute } from './route.ts';

it.each([
  ['', [], {}],
  ['#/', [], {}],
  ['#/clients', ['clients'], {}],
  ['#/clients/a%2Fb%3F?search=x%26y', ['clients', 'a/b?'], { search: 'x&y' }],
  ['#/topics?topic=%2Fa%2F%23&tab=', ['topics'], { topic: '/a/#', tab: '' }],
  ['#/groups/%', ['groups', '%'], {}],
])('%s is a place', (hash, path, query) => expect(parseRoute(hash)).toEqual({ path, query }));

it.each(['a/b', '#?&', '%', '<img>', 'ü', ' '])('a link leads to %j', (name) => {
  expect(parseRoute(linkTo(['clients', name], { topic: name, none: undefined }))).toEqual({
    path: ['clients', name],
    query: { topic: name },
  });
});
