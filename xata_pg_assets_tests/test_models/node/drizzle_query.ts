// Reads and writes a migrated blog through the Drizzle schema beside it; prints what it saw.
import { asc, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import * as schema from "./schema";

const pool = new pg.Pool();
const db = drizzle(pool, { schema });
const posts = await db.query.posts.findMany({
  orderBy: asc(schema.posts.id),
  with: { author: { with: { boss: true, profile: true } }, editor: true },
});
const ann = await db.query.users.findFirst({
  where: eq(schema.users.email, "ann@x.org"),
  with: { usersByBoss: true, postsByAuthor: true, postsByEditor: true },
});
const [made] = await db.insert(schema.posts).values({ title: "new", authorId: ann!.id }).returning();
await db.delete(schema.users).where(eq(schema.users.id, ann!.id));
const orphan = await db.query.posts.findFirst({ where: eq(schema.posts.id, made!.id), with: { author: true } });
console.log(
  JSON.stringify({
    posts: posts.map((post) => ({
      title: post.title,
      likes: String(post.likes),
      tags: post.tags,
      meta: post.meta,
      embedding: post.embedding,
      seen: post.seen?.toISOString() ?? null,
      author: post.author?.email ?? null,
      boss: post.author?.boss?.email ?? null,
      profile: post.author?.profile?.bio ?? null,
      editor: post.editor?.email ?? null,
    })),
    reports: ann!.usersByBoss.map((user) => user.email),
    written: ann!.postsByAuthor.length,
    edited: ann!.postsByEditor.length,
    made: { id: made!.id, rating: made!.rating },
    orphan: orphan!.author,
  }),
);
await pool.end();
