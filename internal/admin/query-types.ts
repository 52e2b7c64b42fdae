import type { FastifyInstance } from 'fastify';
import type { JsonSchema } from './operation.ts';

/**
 * Gives the fields of queries the types that the schemas of their routes say, where their text has that form. What has not
 * stays as it is, and the check by the schema says so.
 */
export function readQueries(server: FastifyInstance): void {
  server.addHook('preValidation', async ({ query, routeOptions: { schema } }) => {
    if (schema?.querystring === undefined) return;
    readTypes(query as Record<string, unknown>, propertiesOf(schema.querystring));
  });
}

function propertiesOf(schema: unknown): Readonly<Record<string, JsonSchema>> {
  return (schema as { properties?: Readonly<Record<string, JsonSchema>> }).properties ?? {};
}

function readTypes(query: Record<string, unknown>, properties: Readonly<Record<string, JsonSchema>>): void {
  for (const [name, value] of Object.entries(query)) {
    if (typeof value !== 'string' || !Object.hasOwn(properties, name)) continue;
    const { type } = properties[name]!;
    if ((type === 'integer' || type === 'number') && /^-?\d{1,15}(\.\d{1,15})?$/.test(value)) {
      query[name] = Number(value);
    } else if (type === 'boolean' && /^(true|false)$/.test(value)) {
      query[name] = value === 'true';
    } else if (type === 'array') {
      query[name] = [value];
    }
  }
}
