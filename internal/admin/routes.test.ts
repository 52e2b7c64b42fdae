import { Ajv } from 'ajv';
import fastify, { type RouteOptions } from 'fastify';
import { expect, it } from 'vitest';
import { type BrokerParts, OWNER } from './operation.ts';
import { adminRoutes, STRICT_SCHEMAS } from './routes.ts';

/** Schemas are compiled when a request needs them: one that is wrong would be found by whoever sends the first. */
it('schemas of requests can all be compiled', async () => {
  const routes: RouteOptions[] = [];
  const app = fastify({ ajv: STRICT_SCHEMAS });
  app.addHook('onRoute', (route) => {
    routes.push(route);
  });
  await app.register(adminRoutes({} as BrokerParts, () => OWNER));
  await app.ready();
  const ajv = new Ajv({ strict: true, allowUnionTypes: true, formats: { 'date-time': true } });
  const schemas = routes.flatMap(({ schema }) => [schema?.params, schema?.querystring, schema?.body]);
  const given = schemas.filter((schema) => schema !== undefined);
  expect(given.length).toBeGreaterThan(50);
  for (const schema of given) ajv.compile(schema as object);
});

it('requests are checked, and what is wrong with each is told, however often', async () => {
  const app = fastify({ ajv: STRICT_SCHEMAS });
  const body = { type: 'object', required: ['name'], properties: { name: { type: 'string' } } };
  app.post('/', { schema: { body } }, async () => 'taken');
  const answers = ['{"name":1}', '{}', '{"name":"x"}', '{"name":2}'].map(async (payload) => {
    const headers = { 'content-type': 'application/json' };
    return (await app.inject({ method: 'POST', url: '/', payload, headers })).body;
  });
  expect(await Promise.all(answers)).toEqual([
    expect.stringContaining('body/name must be string'),
    expect.stringContaining("must have required property 'name'"),
    'taken',
    expect.stringContaining('body/name must be string'),
  ]);
});
