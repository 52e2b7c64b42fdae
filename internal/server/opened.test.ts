import { expect, it } from 'vitest';
import { Opened } from './opened.ts';

// A broker whose disk had become read-only could not remove a file, closed nothing else, and never ended.
it('what can be closed is closed, in the opposite order, also where something else cannot', async () => {
  const opened = new Opened();
  const closed: string[] = [];
  opened.add(() => void closed.push('first'));
  opened.add(() => Promise.reject(new Error('the second')));
  opened.add(() => void closed.push('third'));
  opened.add(() => {
    throw new Error('the fourth');
  });
  await expect(opened.close()).rejects.toThrow('the fourth');
  expect(closed).toEqual(['third', 'first']);
});
