/** Of the documents of this bench. */
export const RXDB_SCHEMA = {
  version: 0,
  primaryKey: '_id',
  type: 'object',
  properties: {
    _id: { type: 'string', maxLength: 20 },
    title: { type: 'string' },
    body: { type: 'string' },
    author: { type: 'string' },
    plays: { type: 'number' },
    done: { type: 'boolean' },
    tags: { type: 'array', items: { type: 'string' } },
  },
  required: ['_id'],
} as const;
