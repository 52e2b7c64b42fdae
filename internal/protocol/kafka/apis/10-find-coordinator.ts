import { array, defineApi, int8, int16, int32, string, struct } from '../schema.ts';

/**
 * Tells which broker coordinates a group (key type 0) or a transaction (1): one key up to version 3,
 * several from 4 on.
 */
export const findCoordinator = defineApi({
  key: 10,
  name: 'FindCoordinator',
  validVersions: '0-6',
  flexibleFrom: 3,
  request: {
    key: string({ versions: '0-3' }),
    keyType: int8({ versions: '1+', default: 0 }),
    coordinatorKeys: array(string(), { versions: '4+' }),
  },
  response: {
    throttleTimeMs: int32({ versions: '1+', default: 0 }),
    errorCode: int16({ versions: '0-3' }),
    errorMessage: string({ versions: '1-3', nullable: true }),
    nodeId: int32({ versions: '0-3' }),
    host: string({ versions: '0-3' }),
    port: int32({ versions: '0-3' }),
    coordinators: array(
      struct({
        key: string(),
        nodeId: int32(),
        host: string(),
        port: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
      }),
      { versions: '4+' },
    ),
  },
});
