// src/client.ts
import { ApolloClient } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { cache } from './cache';
import { socket } from './socket';

export const client = new ApolloClient({ link: new GraphQLWsLink(socket), cache });
