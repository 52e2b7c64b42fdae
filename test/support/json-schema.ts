import fastify from 'fastify';

/** What is wrong with a value by a schema of JSON; undefined where nothing is. */
export async function schemaProblem(schema: object, value: unknown): Promise<string | undefined> {
  const server = fastify({
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: true } },
  });
  let problem: string | undefined;
  server.get('/', async (request) => {
    const isValid = request.compileValidationSchema(schema as Record<string, unknown>);
    if (!isValid(value)) problem = JSON.stringify(isValid.errors);
  });
  await server.inject('/');
  await server.close();
  return problem;
}
