// Reads and writes a migrated blog through the client that Prisma generates from the schema beside it.
import { PrismaPg } from "@prisma/adapter-pg";
import { PrismaClient } from "./generated/prisma/client";

const prisma = new PrismaClient({ adapter: new PrismaPg({}) });
const posts = await prisma.posts.findMany({
  orderBy: { id: "asc" },
  include: { author: { include: { boss: true, profile: true } }, editor: true },
});
const ann = await prisma.users.findUniqueOrThrow({
  where: { email: "ann@x.org" },
  include: { usersByBoss: true, postsByAuthor: true, postsByEditor: true },
});
const made = await prisma.posts.create({ data: { title: "new", author: { connect: { id: ann.id } } } });
await prisma.users.delete({ where: { id: ann.id } });
const orphan = await prisma.posts.findUniqueOrThrow({ where: { id: made.id }, include: { author: true } });
console.log(
  JSON.stringify({
    posts: posts.map((post) => ({
      title: post.title,
      likes: String(post.likes),
      tags: post.tags.length ? post.tags : null,
      meta: post.meta,
      seen: post.seen?.toISOString() ?? null,
      author: post.author?.email ?? null,
      boss: post.author?.boss?.email ?? null,
      profile: post.author?.profile?.bio ?? null,
      editor: post.editor?.email ?? null,
    })),
    reports: ann.usersByBoss.map((user) => user.email),
    written: ann.postsByAuthor.length,
    edited: ann.postsByEditor.length,
    made: { id: Number(made.id), rating: made.rating },
    orphan: orphan.author,
  }),
);
await prisma.$disconnect();
