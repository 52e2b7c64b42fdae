import { type Api, defineMessage, int16, int32, string } from './schema.ts';

/** The header of every request. */
export const requestHeader = defineMessage({
  name: 'request header',
  versions: '0-2',
  flexibleFrom: 2,
  fields: {
    apiKey: int16(),
    apiVersion: int16(),
    correlationId: int32(),
    // A broker must be able to read it from a client that is newer, whatever the version.
    clientId: string({ versions: '1+', nullable: true, classic: true }),
  },
});

/** The header of every response. */
export const responseHeader = defineMessage({
  name: 'response header',
  versions: '0-1',
  flexibleFrom: 1,
  fields: { correlationId: int32() },
});

/** The key of ApiVersions, which a client sends before it knows what the broker understands. */
export const API_VERSIONS_KEY = 18;

/** Which version of {@link requestHeader} stands before a request. */
export function requestHeaderVersion(api: Api, version: number): number {
  return version >= api.flexibleFrom ? 2 : 1;
}

/**
 * Which version of {@link responseHeader} stands before a response. That of ApiVersions never has tags: the
 * client may not know the version that answers it.
 */
export function responseHeaderVersion(api: Api, version: number): number {
  return version >= api.flexibleFrom && api.key !== API_VERSIONS_KEY ? 1 : 0;
}
