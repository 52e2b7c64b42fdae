import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { brokerProgram } from '../../cmd/broker/flags.ts';

const file = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const page = file('docs/testcontainers.md');
const numbers = (text: string) => [...text.matchAll(/\d{4,5}/g)].map(([port]) => port);

it('docs/testcontainers.md starts the image with flags that exist, at ports that it exposes', () => {
  const recipes = [...page.matchAll(/^```(?:ts|java|python)\n(.*?)^```$/gms)].map(([, recipe]) => recipe!);
  expect(recipes).toHaveLength(3);
  const exposed = numbers(/^EXPOSE (.*)$/m.exec(file('Dockerfile'))![1]!);
  for (const recipe of recipes) {
    const [, command] = /[wW]ith_?[cC]ommand\((.*?)\)/.exec(recipe)!;
    const flags = [...command!.matchAll(/-([a-z-]+)/g)].map(([, flag]) => flag!);
    expect(flags).toEqual(['allow-anonymous', 'memory']);
    for (const flag of flags) expect(brokerProgram.options).toHaveProperty([flag]);
    const [, ports] = /[wW]ith_?[eE]xposed_?[pP]orts\((.*?)\)/.exec(recipe)!;
    expect(exposed).toEqual(expect.arrayContaining(numbers(ports!)));
  }
});
