<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:svrl="http://purl.oclc.org/dsdl/svrl" xmlns:i="urn:example:invoice" xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xsl:output method="xml"/>
  <xsl:param name="limit" select="xs:decimal('0.35')"/>
  <xsl:template match="text()" priority="-1"/>
  <xsl:template match="/">
    <svrl:schematron-output schemaVersion="">
      <svrl:ns-prefix-in-attribute-values prefix="i" uri="urn:example:invoice"/>
      <svrl:ns-prefix-in-attribute-values prefix="xs" uri="http://www.w3.org/2001/XMLSchema"/>
      <svrl:active-pattern/>
      <xsl:apply-templates select="/" mode="M3"/>
    </svrl:schematron-output>
  </xsl:template>
  <xsl:template match="i:line[@kind]" priority="1000" mode="M3">
    <svrl:fired-rule context="i:line[@kind]"/>
    <xsl:if test="true()">
      <svrl:successful-report test="true()"><xsl:attribute name="id">LOW-1</xsl:attribute><svrl:text>Never reached.</svrl:text></svrl:successful-report>
    </xsl:if>
    <xsl:apply-templates select="@*|*" mode="M3"/>
  </xsl:template>
  <xsl:template match="i:line" priority="1001" mode="M3">
    <svrl:fired-rule context="i:line"/>
    <xsl:variable name="net" select="xs:decimal(i:net)"/>
    <xsl:choose>
      <xsl:when test="$net &lt; $limit"/>
      <xsl:otherwise>
        <svrl:failed-assert test="$net &lt; $limit">
          <xsl:attribute name="id">NET-1</xsl:attribute>
          <xsl:attribute name="flag">fatal</xsl:attribute>
          <xsl:attribute name="location"><xsl:apply-templates select="." mode="schematron-select-full-path"/></xsl:attribute>
          <svrl:text>An amount of <xsl:value-of select="$net"/> is too much.</svrl:text>
        </svrl:failed-assert>
      </xsl:otherwise>
    </xsl:choose>
    <xsl:apply-templates select="@*|*" mode="M3"/>
  </xsl:template>
  <xsl:template match="text()" priority="-1" mode="M3"/>
</xsl:stylesheet>
