# SPDX-License-Identifier: GPL-2.0-or-later
#
# awk -f report.awk SAMPLES BARS
#
# Reads the samples (section, variant, operation, unit, value; by tabs) and the table of bars, and prints the verdict,
# the table of the bars and the table of all series. @NAME@ in the bars stands for the environment's NAME.

FILENAME == ARGV[1] { add_sample(); next }
/^#/ || /^[ \t]*$/ { next }
{ add_line() }
END { print_verdict(); print_rows(); print_series() }

function add_sample(    key) {
	split($0, f, "\t")
	key = f[1] "/" f[2] "/" f[3]
	if (!(key in n))
		order[++nseries] = key
	unit[key] = f[4]
	value[key, ++n[key]] = f[5]
	sorted[key] = 0
}

function sort_series(key,    i, j, v) {
	for (i = 2; i <= n[key]; i++) {
		v = value[key, i] + 0
		for (j = i - 1; j > 0 && value[key, j] + 0 > v; j--)
			value[key, j + 1] = value[key, j]
		value[key, j + 1] = v
	}
	sorted[key] = 1
}

function rank(key, i) {
	if (!sorted[key])
		sort_series(key)
	return value[key, i] + 0
}

function median(key,    h) {
	h = int((n[key] + 1) / 2)
	return n[key] % 2 ? rank(key, h) : (rank(key, h) + rank(key, h + 1)) / 2
}

# Three significant figures, in the unit a person would use.
function set_unit(v, u) {
	scale = 1
	name = u == "count" ? "" : u == "us" ? " µs" : " " u
	if (u == "us" && v >= 1000) { scale = 1000; name = " ms" }
	if (u == "KB") { scale = 1024; name = " MB" }
	if (u == "B") { scale = 1048576; name = " MB" }
}

function digits(v) {
	v /= scale
	return sprintf(v >= 100 || name == "" ? "%.0f" : v >= 10 ? "%.1f" : "%.2f", v)
}

function figure(v, u) {
	set_unit(v, u)
	return digits(v) name
}

function described(key,    m) {
	m = median(key)
	set_unit(m, unit[key])
	if (n[key] == 1)
		return digits(m) name
	return digits(m) " [" digits(rank(key, 1)) " .. " digits(rank(key, n[key])) "]" name ", n=" n[key]
}

# Of a list of series the one with the largest (sign 1) or smallest (sign -1) median; "" when none was measured.
function pick(list, sign,    i, c, k, best) {
	c = split(list, k, /, */)
	best = ""
	for (i = 1; i <= c; i++)
		if (k[i] in n && (best == "" || sign * median(k[i]) > sign * median(best)))
			best = k[i]
	return best
}

# "variant" or, where that tells nothing, "variant operation"
function short(key,    f) {
	split(key, f, "/")
	return f[3] ~ /^(ADD|DEL|whole life|connect|stripped)$/ ? f[2] : f[2] " " f[3]
}

function cell(list,    i, c, k, s) {
	c = split(list, k, /, */)
	s = ""
	for (i = 1; i <= c; i++)
		if (k[i] in n)
			s = s (s == "" ? "" : "; ") short(k[i]) " " described(k[i])
	return s
}

function number(limit,    p) {
	return split(limit, p, "/") == 2 ? p[1] / p[2] : limit + 0
}

function ratio_text(r) {
	return r < 0.5 ? sprintf("1/%.1f", 1 / r) : sprintf("%.2f ×", r)
}

function limit_text(limit) {
	return limit ~ /\// ? "≤ " limit : "≤ " limit " ×"
}

function add_line(    f) {
	while (match($0, /@[A-Z_]+@/))
		$0 = substr($0, 1, RSTART - 1) ENVIRON[substr($0, RSTART + 1, RLENGTH - 2)] substr($0, RSTART + RLENGTH)
	split($0, f, / *\| */)
	if (f[1] == "work") {
		work = f[2]; ours = ""; judged = ""; shown = 0
	} else if (f[1] == "ours") {
		judged = f[2]; ours = pick(f[2], 1)
	} else if (f[1] == "most") {
		judge(ours == "" ? "" : median(ours) <= f[2], "", "", "", "≤ " figure(f[2], f[3]))
	} else if (f[1] == "none") {
		add_none(f[2], f[3])
	} else if (f[1] == "show") {
		show(f[2])
	} else {
		add_ratio(f[1], f[2], f[3], f[4])
	}
}

function add_ratio(kind, limit, list, words,    other, r, met, text) {
	other = pick(list, -1)
	met = ""
	text = ""
	if (ours != "" && other != "" && median(other) > 0) {
		r = median(ours) / median(other)
		met = r <= number(limit)
		text = ratio_text(r)
	}
	words = (kind == "aim" ? "aim: " : "") limit_text(limit) " " words
	if (kind == "aim")
		emit("", "", text, words, met == "" ? "" : met ? "reached" : "not reached")
	else
		judge(met, kind == "floor" ? "" : cell(list), kind == "floor" ? cell(list) : "", text, words)
}

function add_none(key, words,    i, sum) {
	if (!(key in n)) {
		judge("", "", "", "", "0 " words)
		return
	}
	sum = 0
	for (i = 1; i <= n[key]; i++)
		sum += value[key, i]
	judge(sum == 0, "", "", sum, "0 " words)
}

# met: 1, 0, or "" when the figures are missing
function judge(met, peers, floor, ratio, bar) {
	bars++
	if (met == "")
		missing[++nmissing] = work ": " bar
	else if (met)
		nmet++
	else
		missed[++nmissed] = work ": " bar ", measured " (ratio == "" ? described(ours) : ratio)
	emit(peers, floor, ratio, bar, met == "" ? "not measured" : met ? "yes" : "**no**")
}

# One line of the table; the first of a row names the work and shows our figure.
function emit(peers, floor, ratio, bar, met) {
	nrows++
	cells[nrows, 1] = shown ? "" : work
	cells[nrows, 2] = shown || ours == "" ? "" : short(ours) " " described(ours)
	cells[nrows, 3] = peers
	cells[nrows, 4] = floor
	cells[nrows, 5] = ratio
	cells[nrows, 6] = bar
	cells[nrows, 7] = met
	shown = 1
}

# Fills the last line's free cells with figures that no bar judges.
function show(list,    i, c, k, column) {
	c = split(list, k, /, */)
	for (i = 1; i <= c; i++) {
		if (!(k[i] in n))
			continue
		column = k[i] ~ /floor/ ? 4 : 3
		cells[nrows, column] = cells[nrows, column] (cells[nrows, column] == "" ? "" : "; ") \
			short(k[i]) " " described(k[i])
	}
}

function print_verdict(    i) {
	printf "**%d of %d bars met", nmet, bars
	printf "%s", nmissed ? sprintf(", %d missed", nmissed) : ""
	printf "%s.**\n\n", nmissing ? sprintf(", %d not measured", nmissing) : ""
	for (i = 1; i <= nmissed; i++)
		print "- missed: " missed[i]
	for (i = 1; i <= nmissing; i++)
		print "- not measured: " missing[i]
	if (nmissed + nmissing)
		print ""
}

function print_rows(    i, c) {
	print "| work | ours | peers | floor | ratio | bar | met? |"
	print "|---|---|---|---|---|---|---|"
	for (i = 1; i <= nrows; i++) {
		for (c = 1; c <= 7; c++)
			printf "| %s ", cells[i, c]
		print "|"
	}
	print ""
}

function print_series(    i, f, section) {
	print "## Every series"
	section = ""
	for (i = 1; i <= nseries; i++) {
		split(order[i], f, "/")
		if (f[1] != section) {
			section = f[1]
			printf "\n### %s\n\n| variant | what | median [min .. max] |\n|---|---|---|\n", section
		}
		printf "| %s | %s | %s |\n", f[2], f[3], described(order[i])
	}
}
