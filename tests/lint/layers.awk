# SPDX-License-Identifier: GPL-2.0-or-later
#
# Reads names of sources, prints every #include that crosses a layer upwards or sideways, and every
# library header outside the one folder that may know it. doc/ARCHITECTURE.md, "Who may include whom".

function layer(path, part)
{
	split(path, part, "/")
	return part[1] == "netlib" ? part[1] "/" part[2] : part[1]
}

BEGIN {
	split("netlib/base 0 netlib/ip 1 netlib/nl 2 netlib/net 3 netlib/fw 3 netlib/txn 4 " \
	      "netlib/cni 5 netlib/inspect 5 plugins 6 ipam 6 runner 6", list, " ")
	for (i = 1; i in list; i += 2)
		rank[list[i]] = list[i + 1]
	may["json-c"] = "^netlib/base/(decode|encode)\\.c$"
	may["libmnl"] = "^netlib/(nl|net|fw)/[^/]*\\.c$"
	may["libnftnl"] = "^netlib/fw/nft[^/]*\\.[ch]$"
	may["libiptc"] = "^netlib/fw/ipt[^/]*\\.c$"
	may["archive.h"] = "^runner/image/"
	may["openssl"] = "^runner/image/"
}

{
	name = $0
	mine = layer(name)
	if (!(mine in rank))
		next	# tests may look everywhere
	for (line = 1; (getline text < name) > 0; line++) {
		if (text !~ /^[ \t]*#[ \t]*include[ \t]*[<"]/)
			continue
		got = text
		gsub(/^[^<"]*[<"]|[>"].*$/, "", got)
		its = layer(got)
		if (its in rank && its != mine && rank[its] >= rank[mine])
			print name ":" line ": " mine " (rank " rank[mine] ") may not include " got \
			      " (rank " rank[its] ")"
		if (text ~ /include[ \t]*"/ && !(its in rank) && got !~ /^(gen\/|build-id\.h$)/)
			print name ":" line ": expected a path from the root of the repository, got \"" got "\""
		for (lib in may)
			if (index(got, lib) == 1 && name !~ may[lib])
				print name ":" line ": only " may[lib] " may include <" got ">"
	}
	close(name)
}
