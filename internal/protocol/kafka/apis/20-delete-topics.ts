import { array, defineApi, int16, int32, string, struct, uuid } from '../schema.ts';

/** Deletes topics by name, from version 6 on also by id. */
export const deleteTopics = defineApi({
  key: 20,
  name: 'DeleteTopics',
  validVersions: '1-6',
  flexibleFrom: 4,
  request: {
    topics: array(struct({ name: string({ nullable: true, default: null }), topicId: uuid() }), {
      versions: '6+',
    }),
    topicNames: array(string(), { versions: '1-5' }),
    timeoutMs: int32(),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    responses: array(
      struct({
        name: string({ nullable: '6+' }),
        topicId: uuid({ versions: '6+' }),
        errorCode: int16(),
        errorMessage: string({ versions: '5+', nullable: true, default: null }),
      }),
    ),
  },
});
