import { expect, it } from 'vitest';
import { nearest, suggestion } from './nearest.ts';

it.each([
  ['adress', 'address'],
  ['topic', 'topics'],
  ['lsit', 'list'],
  ['TOPICS', 'topics'],
  ['ls', undefined],
  ['sensors/temp', undefined],
  ['', undefined],
])('%s is near %s', (written, word) => {
  expect(nearest(written, ['address', 'topics', 'list', 'groups', 'data-dir'])).toBe(word);
});

it('is told as a question', () => {
  expect(suggestion('adress', ['address'], '-')).toBe('; did you mean -address?');
  expect(suggestion('x', ['address'])).toBe('');
});
